"""From graphs to torch modules."""

from archwright.lower.fused import FusedNetwork
from archwright.lower.mixture import Mixture, logits_table
from archwright.lower.naive import NaiveNetwork

__all__ = ["FusedNetwork", "Mixture", "NaiveNetwork", "logits_table"]
