"""Contract of a cost: name, unit, texts, and how it is computed, compared and printed.

This module does not import PyTorch, so that the command line can list the costs; `build` and
`of_network` import PyTorch themselves.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from archwright.errors import ConfigError

if TYPE_CHECKING:
    from archwright.cost.expected.decision_table import DecisionTable
    from archwright.cost.expected.model import CostModel
    from archwright.graph import Network

Kind = Literal["exact", "fitted", "measured"]
"""Source of the expected cost of a supernet: a formula that is exact at one-hot weights, a sum that
is fitted to exact costs, or measurements."""

ROUNDING = 1e-9
"""Relative tolerance of a limit: sums of floats differ in their last digits."""


def within(ratio: float) -> bool:
    """Return whether a cost of `ratio` times its limit is within the limit."""
    return ratio <= 1 + ROUNDING


@dataclass(frozen=True, kw_only=True)
class CostContext:
    """Parameters of a cost that do not come from the network.

    Attributes:
        weight_bytes: size of an exported weight: 4 in float32, 1 in int8.
        latency_device: device of HW-NAS-Bench for measured costs.
        latency_table: file with measured costs (see `read_latency`).
    """

    weight_bytes: int = 4
    latency_device: str | None = None
    latency_table: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Cost(ABC):
    """Cost of networks, for options, budgets, targets, results and reports.

    Attributes:
        name: name in settings and results, with the unit unless it is a count: `latency_ms`.
        title: name in texts: `latency`.
        unit: unit in texts: `ms`, `MACs`.
        count: whether it is a whole number, which is printed without its unit.
        budget_help: help of the option that limits it in a search; empty if it cannot be limited.
        target_help: help of the pruning target; empty if it cannot be a pruning target.
        share: whether a pruning target of at most 1 is a fraction of the cost of the whole network.
        by_weight_type: whether it depends on the type of exported weights.
        inspect_text: name in the text of `archwright inspect`; empty if that prints it elsewhere.
    """

    kind: ClassVar[Kind]

    name: str
    title: str
    unit: str
    count: bool = False
    budget_help: str = ""
    target_help: str = ""
    share: bool = False
    by_weight_type: bool = False
    inspect_text: str = ""

    @abstractmethod
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        """Return the cost model of the networks of a space at one size.

        Raises:
            ConfigError: measurements are needed, and there is no usable source of them.
        """

    def of_network(self, network: "Network", context: CostContext) -> float | None:
        """Return the cost of a network without open decisions; None if it must be measured."""
        del network, context

    def available(self, context: CostContext) -> bool:
        """Return whether the context has everything that `build` needs."""
        del context
        return True

    def as_target(self, limit: float, context: CostContext) -> tuple[str, float] | None:
        """Return name and value of the pruning target that keeps a limit; None if there is none."""
        del context
        return (self.name, limit) if self.target_help else None

    @property
    def option(self) -> str:
        """Name of the setting that limits it."""
        return f"max_{self.name}"

    @property
    def flag(self) -> str:
        """Option of the command line that limits it."""
        return flag_of(self.option)

    @property
    def target_flag(self) -> str:
        """Option of the command line that makes it a pruning target."""
        return flag_of(self.name)

    @property
    def profiled(self) -> bool:
        """True if this machine can measure it: on operations (`profile`) and on exported files."""
        return False

    @property
    def heading(self) -> str:
        """Title and unit, for the head of a row."""
        return self.title if self.count else f"{self.title}, {self.unit}"

    def holds(self, value: float, limit: float) -> bool:
        """Return whether a value is within a limit; an unknown value is infinite, and is not."""
        return within(value / limit)

    def format(self, value: float) -> str:
        """Return a value as text, with its unit."""
        return f"{value:,.0f}" if self.count else f"{value:.4g} {self.unit}"


class MeasuredCostBase(Cost):
    """Cost from measurements: of HW-NAS-Bench, or of a table that the user provides."""

    kind: ClassVar[Kind] = "measured"

    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """Return the devices of HW-NAS-Bench with measurements of this cost."""

    @abstractmethod
    def on_device(self, layout: "DecisionTable", device: str) -> "CostModel":
        """Return the cost model of a device of HW-NAS-Bench.

        Raises:
            ConfigError: there are no measurements of the device, the space or the size.
        """

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        """Return the cost model by the one source of measurements in the context."""
        from archwright.cost.latency import read_latency

        if (context.latency_device is None) == (context.latency_table is None):
            raise ConfigError(
                f"{self.name} needs one source of measurements: --latency-device DEVICE, or "
                f"--latency-table FILE"
            )
        if context.latency_table is not None:
            return read_latency(layout, context.latency_table, self.name)
        assert context.latency_device is not None, "one of the two is given"
        return self.on_device(layout, context.latency_device)

    @override
    def available(self, context: CostContext) -> bool:
        """Return whether the source of measurements has this cost."""
        from archwright.cost.files import read_rows

        if context.latency_table is not None:
            return self.name in read_rows(context.latency_table)[0]
        return context.latency_device in self.devices()


def flag_of(option: str) -> str:
    """Return the option of the command line for a setting."""
    return "--" + option.replace("_", "-")
