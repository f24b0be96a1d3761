"""Measured accuracies, latencies and energies of every architecture of a benchmark space."""

__all__ = ["nasbench201"]

from archwright.tables import nasbench201
