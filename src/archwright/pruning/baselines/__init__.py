"""Baselines of node deletion: channel pruning, operation pruning, narrower networks. Import from
the modules.
"""
