"""What networks cost."""

from archwright.cost.additive import AdditiveCost, fit
from archwright.cost.decision_table import DecisionTable
from archwright.cost.encoder import GraphEncoder
from archwright.cost.encoding import Encoding
from archwright.cost.graph import GraphCost, graph_cost
from archwright.cost.memory import (
    activation_bytes,
    degenerate_batch_norm,
    estimate_training_bytes,
    saved_bytes,
)
from archwright.cost.model import CostModel
from archwright.cost.peak import peak_bytes
from archwright.cost.registry import COSTS, cost_model

__all__ = [
    "COSTS",
    "AdditiveCost",
    "CostModel",
    "DecisionTable",
    "Encoding",
    "GraphCost",
    "GraphEncoder",
    "activation_bytes",
    "cost_model",
    "degenerate_batch_norm",
    "estimate_training_bytes",
    "fit",
    "graph_cost",
    "peak_bytes",
    "saved_bytes",
]
