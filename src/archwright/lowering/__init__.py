"""From graphs to torch modules."""

from archwright.lowering.fused import FusedNetwork
from archwright.lowering.mixture import Mixture, logits_table
from archwright.lowering.module import NaiveNetwork

__all__ = ["FusedNetwork", "Mixture", "NaiveNetwork", "logits_table"]
