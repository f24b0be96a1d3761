"""Number of learned weights."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class Params(Cost):
    """Number of learned weights on all edges; those of a shared slot count once."""

    kind: ClassVar[Kind] = "exact"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected.additive import params
        from archwright.cost.expected.model import AdditiveCostModel

        return AdditiveCostModel(name=self.name, layout=layout, parts=params(layout))

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.graph import graph_cost

        return graph_cost(network).params


PARAMS = Params(
    name="params",
    title="parameters",
    unit="parameters",
    count=True,
    budget_help="Upper limit of parameters.",
    target_help="Upper limit of parameters after pruning; a value of at most 1 is a share of the "
    "whole network's (else no limit).",
    share=True,
)
