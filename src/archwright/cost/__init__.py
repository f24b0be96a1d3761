"""What networks cost."""

from archwright.cost.graph import GraphCost, graph_cost
from archwright.cost.memory import activation_bytes, estimate_training_bytes, saved_bytes

__all__ = ["GraphCost", "activation_bytes", "estimate_training_bytes", "graph_cost", "saved_bytes"]
