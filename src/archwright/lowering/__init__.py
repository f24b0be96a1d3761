"""Lowering of graphs to torch modules."""

from archwright.lowering.fused import FusedNetwork
from archwright.lowering.mixture import Mixture, logits_table
from archwright.lowering.module import GraphModule

__all__ = ["FusedNetwork", "GraphModule", "Mixture", "logits_table"]
