"""Multiply-accumulates for one image."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class Macs(Cost):
    """Multiply-accumulates of convolutions and linear layers on all edges, for one image."""

    kind: ClassVar[Kind] = "exact"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected.additive import macs
        from archwright.cost.expected.model import AdditiveCostModel

        return AdditiveCostModel(name=self.name, layout=layout, parts=macs(layout))

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.graph import graph_cost

        return graph_cost(network).macs


MACS = Macs(
    name="macs",
    title="multiply-accumulates",
    unit="MACs",
    count=True,
    budget_help="Upper limit of multiply-accumulates for one image.",
    target_help="Upper limit of multiply-accumulates after pruning; a value of at most 1 is a "
    "share of the whole network's (else no limit).",
    share=True,
)
