"""What networks cost."""

from archwright.cost.additive import AdditiveCost, fit
from archwright.cost.decision_table import Layout
from archwright.cost.encoder import GraphEncoder
from archwright.cost.encoding import Encoding
from archwright.cost.graph import GraphCost, graph_cost
from archwright.cost.memory import (
    activation_bytes,
    estimate_training_bytes,
    saved_bytes,
    starved_norm,
)
from archwright.cost.model import CostModel
from archwright.cost.peak import peak_bytes
from archwright.cost.registry import COSTS, cost_model

__all__ = [
    "COSTS",
    "AdditiveCost",
    "CostModel",
    "Encoding",
    "GraphCost",
    "GraphEncoder",
    "Layout",
    "activation_bytes",
    "cost_model",
    "estimate_training_bytes",
    "fit",
    "graph_cost",
    "peak_bytes",
    "saved_bytes",
    "starved_norm",
]
