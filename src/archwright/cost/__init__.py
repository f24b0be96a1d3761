"""What networks cost."""

from archwright.cost.additive import AdditiveCost, fit
from archwright.cost.catalogue import COSTS, cost_model
from archwright.cost.encoder import GraphEncoder
from archwright.cost.encoding import Encoding
from archwright.cost.graph import GraphCost, graph_cost
from archwright.cost.layout import Layout
from archwright.cost.memory import (
    activation_bytes,
    estimate_training_bytes,
    saved_bytes,
    starved_norm,
)
from archwright.cost.model import CostModel
from archwright.cost.peak import peak_bytes

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
