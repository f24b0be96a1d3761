"""Costs that `graph_cost` counts: exact, and additive over decisions."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class GraphCount(Cost):
    """Cost whose name is a field of `GraphCost` and a function of `cost.expected.additive`."""

    kind: ClassVar[Kind] = "exact"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected import additive
        from archwright.cost.expected.model import AdditiveCostModel

        parts = getattr(additive, self.name)(layout)
        return AdditiveCostModel(name=self.name, layout=layout, parts=parts)

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.graph import graph_cost

        return getattr(graph_cost(network), self.name)
