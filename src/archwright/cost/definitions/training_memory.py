"""Memory of activations in training."""

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.cost.contract import Cost, CostContext, Kind

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network


class TrainingMemory(Cost):
    """Memory, in megabytes (10^6 bytes), kept for backward by a float32 step on one image."""

    kind: ClassVar[Kind] = "fitted"

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        from archwright.cost.expected.additive import additive
        from archwright.cost.expected.model import GraphCostModel
        from archwright.cost.memory import activation_bytes, kept_bytes

        return GraphCostModel(
            name=self.name,
            layout=layout,
            exact=lambda network: activation_bytes(network) / 1e6,
            parts=additive(layout, kept_bytes).times(1e-6),
        )

    @override
    def of_network(self, network: "Network", context: CostContext) -> float:
        from archwright.cost.memory import activation_bytes

        return activation_bytes(network) / 1e6


TRAINING_MEMORY_MB = TrainingMemory(
    name="training_memory_mb", title="memory in training", unit="MB"
)
