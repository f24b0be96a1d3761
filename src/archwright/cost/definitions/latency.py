"""Latency for one image."""

from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.cost.contract import MeasuredCostBase

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel


class Latency(MeasuredCostBase):
    """Latency for one image, in milliseconds."""

    @override
    def devices(self) -> tuple[str, ...]:
        from archwright.tables.latencies import DEVICES

        return DEVICES

    @override
    def on_device(self, layout: "DecisionTable", device: str) -> "CostModel":
        from archwright.cost.measured import device_latency

        return device_latency(layout, device)

    @property
    @override
    def profiled(self) -> bool:
        return True


LATENCY_MS = Latency(
    name="latency_ms",
    title="latency",
    unit="ms",
    budget_help="Upper limit of the latency for one image, in milliseconds (see --latency-device, "
    "--latency-table).",
    target_help="Upper limit of the latency for one image on this machine's CPU after pruning, in "
    "milliseconds (else no limit).",
    inspect_text="latency",
)
