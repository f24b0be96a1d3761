"""Peak memory of features at inference."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class PeakMemory(Cost):
    """Peak memory, in megabytes (10^6 bytes), of features that exist together, for one image."""

    kind: ClassVar[Kind] = "fitted"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected.model import GraphCostModel
        from archwright.cost.peak import fixed_peak_bytes, peak_bytes

        return GraphCostModel(
            name=self.name,
            layout=layout,
            exact=lambda network: peak_bytes(network) / 1e6,
            fixed=lambda network: fixed_peak_bytes(network) / 1e6,
        )

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.peak import peak_bytes

        return peak_bytes(network) / 1e6


MEMORY_MB = PeakMemory(
    name="memory_mb",
    title="memory",
    unit="MB",
    budget_help="Upper limit of the peak memory of features for one image, in MB (10^6 bytes).",
    target_help="Upper limit of the peak memory of features for one image after pruning, in MB "
    "(else no limit).",
    inspect_text="peak memory of features, one image",
)
