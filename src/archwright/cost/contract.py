"""The contract of a cost: its name and unit, its texts, how it is built, compared and printed.

Nothing here imports PyTorch, so that the command line can list the costs; `build` and `of_network`
import what they need.
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
"""How the cost expected under a supernet's weights is known: it is the cost itself at one-hot
weights; it is a sum fitted to exact costs; or it needs measurements."""

ROUNDING = 1e-9
"""A cost may exceed its limit by this part of it: sums of floats differ in their last digits."""


def within(ratio: float) -> bool:
    """Return whether a cost of `ratio` times its limit is within the limit."""
    return ratio <= 1 + ROUNDING


@dataclass(frozen=True, kw_only=True)
class CostContext:
    """What a cost depends on beside the network.

    Attributes:
        weight_bytes: size of an exported weight: 4 in float32, 1 in int8.
        latency_device: a device of HW-NAS-Bench that measured costs are those of.
        latency_table: a file that measured costs are read from (see `read_latency`).
    """

    weight_bytes: int = 4
    latency_device: str | None = None
    latency_table: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Cost(ABC):
    """A cost of networks, as options, budgets, targets, results and reports know it.

    Attributes:
        name: its name in settings and results, with its unit unless it is a count: `latency_ms`.
        title: its name in a text: `latency`.
        unit: the unit in a text: `ms`, `MACs`.
        count: whether it is a whole number, which is printed without its unit.
        budget_help: help of the option that limits it in a search; empty: it cannot be limited.
        target_help: help of the option that prunes to it; empty: no pruning aims at it.
        share: whether a pruning target of at most 1 is a share of what the whole network costs.
        by_weight_type: whether it depends on the type of exported weights.
        inspect_text: its name in the text of `archwright inspect`; empty: that has it elsewhere.
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
        """Return the cost of a space's networks at one size.

        Raises:
            ConfigError: measurements are needed, and there is no usable source of them.
        """

    def of_network(self, network: "Network", context: CostContext) -> float | None:
        """Return the cost of one network with no open decision; None: it cannot be read off."""
        del network, context

    def available(self, context: CostContext) -> bool:
        """Return whether the context has what `build` needs."""
        del context
        return True

    def as_target(self, limit: float, context: CostContext) -> tuple[str, float] | None:
        """Return the pruning target that keeps a limit, and its value; None: there is none."""
        del context
        return (self.name, limit) if self.target_help else None

    @property
    def option(self) -> str:
        """The setting that limits it."""
        return f"max_{self.name}"

    @property
    def flag(self) -> str:
        """The option of the command line that limits it."""
        return flag_of(self.option)

    @property
    def target_flag(self) -> str:
        """The option of the command line that prunes to it."""
        return flag_of(self.name)

    @property
    def profiled(self) -> bool:
        """Whether this machine can measure it: by a profile, and of an exported file."""
        return False

    @property
    def heading(self) -> str:
        """Title and unit, as the head of a row."""
        return self.title if self.count else f"{self.title}, {self.unit}"

    def holds(self, value: float, limit: float) -> bool:
        """Return whether a value is within a limit; what is not known (infinite) is not."""
        return within(value / limit)

    def format(self, value: float) -> str:
        """Return a value as a text has it, with its unit."""
        return f"{value:,.0f}" if self.count else f"{value:.4g} {self.unit}"


class MeasuredCostBase(Cost):
    """A cost that is measured: on a device of HW-NAS-Bench, or by a table of the user's own."""

    kind: ClassVar[Kind] = "measured"

    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """Return the devices of HW-NAS-Bench on which it was measured."""

    @abstractmethod
    def on_device(self, layout: "DecisionTable", device: str) -> "CostModel":
        """Return the cost on a device of HW-NAS-Bench.

        Raises:
            ConfigError: the device, or networks of this space or size, were not measured.
        """

    @override
    def build(self, layout: "DecisionTable", context: CostContext) -> "CostModel":
        """Return the cost of a space's networks by the one source that the context names."""
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
    """Return a setting's name as the command line has it."""
    return "--" + option.replace("_", "-")
