"""Costs of networks: exact, expected of a supernet, measured, learned.

Names are loaded when they are first used, so that the command line lists the costs without PyTorch.
"""

from typing import TYPE_CHECKING

from archwright.io.lazy import lazy_names

if TYPE_CHECKING:
    from archwright.cost.contract import Cost as Cost
    from archwright.cost.contract import CostContext as CostContext
    from archwright.cost.expected.additive import AdditiveCost as AdditiveCost
    from archwright.cost.expected.additive import fit as fit
    from archwright.cost.expected.decision_table import DecisionTable as DecisionTable
    from archwright.cost.expected.model import CostModel as CostModel
    from archwright.cost.graph import GraphCost as GraphCost
    from archwright.cost.graph import graph_cost as graph_cost
    from archwright.cost.learned.encoder import GraphEncoder as GraphEncoder
    from archwright.cost.learned.encoding import Encoding as Encoding
    from archwright.cost.memory import activation_bytes as activation_bytes
    from archwright.cost.memory import degenerate_batch_norm as degenerate_batch_norm
    from archwright.cost.memory import estimate_training_bytes as estimate_training_bytes
    from archwright.cost.memory import saved_bytes as saved_bytes
    from archwright.cost.peak import peak_bytes as peak_bytes
    from archwright.cost.registry import COSTS as COSTS
    from archwright.cost.registry import cost_model as cost_model

_HOME = {
    **dict.fromkeys(("AdditiveCost", "fit"), "expected.additive"),
    **dict.fromkeys(("Cost", "CostContext"), "contract"),
    "DecisionTable": "expected.decision_table",
    "GraphEncoder": "learned.encoder",
    "Encoding": "learned.encoding",
    **dict.fromkeys(("GraphCost", "graph_cost"), "graph"),
    **dict.fromkeys(("activation_bytes", "degenerate_batch_norm"), "memory"),
    **dict.fromkeys(("estimate_training_bytes", "saved_bytes"), "memory"),
    "CostModel": "expected.model",
    "peak_bytes": "peak",
    **dict.fromkeys(("COSTS", "cost_model"), "registry"),
}

__all__ = [*_HOME]  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__ = lazy_names(__name__, _HOME)
