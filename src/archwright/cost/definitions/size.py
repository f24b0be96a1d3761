"""Size of the weights in the exported file."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class WeightSize(Cost):
    """Size of the exported weights, in megabytes (10^6 bytes)."""

    kind: ClassVar[Kind] = "exact"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected.additive import params
        from archwright.cost.expected.model import AdditiveCostModel

        parts = params(layout).times(context.weight_bytes / 1e6)
        return AdditiveCostModel(name=self.name, layout=layout, parts=parts)

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.graph import graph_cost

        return graph_cost(network).params * context.weight_bytes / 1e6

    @override
    def as_target(self, limit: float, context: CostContext) -> tuple[str, float]:
        return "params", limit * 1e6 / context.weight_bytes


SIZE_MB = WeightSize(
    name="size_mb",
    title="size",
    unit="MB",
    budget_help="Upper limit of the size of the weights in the exported file, in MB (10^6 bytes).",
    by_weight_type=True,
    inspect_text="weights in float32",
)
