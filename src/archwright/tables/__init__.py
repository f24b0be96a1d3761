"""Measured accuracies, latencies and energies of every architecture of a benchmark space.

Import from the modules: this file imports none, so that a search, which reads latencies, does not
reach accuracies.
"""
