"""Pruning of trained networks. Import from the modules."""
