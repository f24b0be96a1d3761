"""Energy for one image."""

from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.cost.contract import MeasuredCostBase

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel


class Energy(MeasuredCostBase):
    """Energy for one image, in millijoules."""

    @override
    def devices(self) -> tuple[str, ...]:
        from archwright.tables.latencies import ENERGY_DEVICES

        return ENERGY_DEVICES

    @override
    def on_device(self, layout: "DecisionTable", device: str) -> "CostModel":
        from archwright.cost.measured import device_energy

        return device_energy(layout, device)


ENERGY_MJ = Energy(
    name="energy_mj",
    title="energy",
    unit="mJ",
    budget_help="Upper limit of the energy for one image, in millijoules.",
    inspect_text="energy",
)
