"""The options of a search that say what its result may cost."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from archwright.backends.formats import Weights
from archwright.engine.options import RunOptions, require, require_not_negative, require_positive
from archwright.errors import ConfigError, unknown

COSTS = ("latency_ms", "macs", "params", "memory_mb", "size_mb", "energy_mj")
"""What a budget or an objective may be put on, the unit in the name."""
MEASURED = ("latency_ms", "energy_mj")
"""Those that need measurements."""


@dataclass(frozen=True, kw_only=True)
class LimitOptions(RunOptions):
    """Budgets, and where costs that must be measured come from."""

    max_latency_ms: float | None = None
    """Find nothing slower than this, in milliseconds an image (see --latency-device,
    --latency-table)."""
    max_macs: float | None = None
    """Find nothing of more multiply-accumulates an image."""
    max_params: float | None = None
    """Find nothing of more parameters."""
    max_memory_mb: float | None = None
    """Find nothing whose features take more memory at once, in MB (10^6 bytes), for one image."""
    max_size_mb: float | None = None
    """Find nothing whose weights take more room in the exported file, in MB (10^6 bytes)."""
    max_energy_mj: float | None = None
    """Find nothing that takes more energy, in millijoules an image."""
    latency_device: str | None = None
    """Device of HW-NAS-Bench that latency and energy are those of: edgegpu, raspi4, edgetpu,
    pixel3, eyeriss or fpga (space nasbench201)."""
    latency_table: Path | None = None
    """Your own measurements, CSV or parquet: architectures, or operations as archwright profile
    writes them."""

    def __post_init__(self) -> None:
        """Check each option by itself.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        super().__post_init__()
        require_positive(self, *(f"max_{cost}" for cost in COSTS))

    @property
    def limits(self) -> dict[str, float]:
        """The largest value of each cost that is limited, by its name."""
        given = {cost: getattr(self, f"max_{cost}") for cost in COSTS}
        return {cost: float(limit) for cost, limit in given.items() if limit is not None}


@dataclass(frozen=True, kw_only=True)
class BudgetOptions(LimitOptions):
    """Budgets, and the size of the networks that they are for."""

    deploy_channels: int | None = None
    """Width of the network that budgets count for, by default that of training."""
    deploy_cells: int | None = None
    """Depth of the network that budgets count for, by default that of training."""
    deploy_image_size: int | None = None
    """Pixels a side that budgets count for, by default those of the images."""
    deploy_weights: Weights = "float32"
    """Type of exported weights, which a size in MB is counted in."""
    objective: str | None = None
    """Weights of costs in alpha's loss: latency_ms=0.3+params=0.1. A cost counts as a part of what
    it is with all candidates alike."""
    pareto: int | None = None
    """Derive so many architectures from the one supernet, at budgets from the smallest possible to
    the largest."""

    finalists: int | None = None
    """Compare so many of the strongest architectures within the budgets by their loss with the
    supernet's weights, on alpha's images; 1: the strongest is taken. By default 16 where budgets
    exclude what alpha speaks for (of diffgraph 1, whose alpha learned from samples), else 1."""
    spend: float = 1.5
    """What taking all of its budgets is worth to an architecture, in nats for each of its
    decisions: of those that alpha hardly tells apart, the larger one is taken. 0: nothing."""
    regularity: float = 0.0
    """Weight of irregularity (many distinct operations, nodes without a pattern) in alpha's loss
    and beside the finalists' losses."""

    def __post_init__(self) -> None:
        """Check each option by itself, and what they demand of each other.

        Raises:
            ConfigError: one is out of range, or two contradict each other (the flags are named).
        """
        super().__post_init__()
        require_positive(self, "deploy_channels", "deploy_cells", "deploy_image_size")
        require_positive(self, "finalists")
        require_not_negative(self, "regularity", "spend")
        if self.pareto is not None:
            require(self.pareto > 1, f"--pareto must be 2 or more, got {self.pareto}")
        weights = self.objective_weights
        both = [cost for cost in weights if cost in self.limits]
        if both:
            raise ConfigError(
                f"--objective weighs {both[0]}, which --max-{both[0].replace('_', '-')} limits: "
                f"give one of the two"
            )
        require_sources(self, weights, front=self.pareto is not None and not self.limits)
        require(
            self.deploy_weights == "float32" or "size_mb" in {*self.limits, *weights},
            f"--deploy-weights {self.deploy_weights} has no use without --max-size-mb or a size_mb "
            f"in --objective",
        )
        require(
            bool(self.limits) or self.pareto is not None or self.spend == BudgetOptions.spend,
            f"--spend {self.spend:g} has no use without a budget, such as --max-macs 5e7",
        )
        if not self.limits and not weights and self.pareto is None:
            for name in ("deploy_channels", "deploy_cells", "deploy_image_size"):
                require(
                    getattr(self, name) is None,
                    f"--{name.replace('_', '-')} has no use without a budget, --objective or "
                    f"--pareto",
                )

    @property
    def objective_weights(self) -> dict[str, float]:
        """The weight of each cost in alpha's loss, by its name.

        Raises:
            ConfigError: the objective cannot be read.
        """
        found: dict[str, float] = {}
        for part in (self.objective or "").split("+") if self.objective is not None else ():
            name, _, text = part.partition("=")
            if name not in COSTS:
                known = unknown("cost", name, COSTS)
                raise ConfigError(f"--objective: {known}; write COST=WEIGHT, joined by +")
            require(name not in found, f"--objective weighs {name} twice")
            found[name] = _weight(name, text)
        return found


def _weight(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    require(
        0 < value < float("inf"),
        f"--objective {name}={text}: the weight must be a number above 0, such as {name}=0.3",
    )
    return value


def require_sources(
    options: LimitOptions, weighed: Collection[str] = (), *, front: bool = False
) -> None:
    """Check that measured costs, limited or weighed, have one source, and that a source has a use.

    Raises:
        ConfigError: there is none, or both, or one that nothing asks for.
    """
    asked = [cost for cost in MEASURED if cost in {*options.limits, *weighed}]
    sources = [
        flag
        for flag, given in (
            ("--latency-device", options.latency_device),
            ("--latency-table", options.latency_table),
        )
        if given is not None
    ]
    if len(sources) == 2:
        raise ConfigError("--latency-device and --latency-table contradict each other: give one")
    if asked and not sources:
        flag = f"--max-{asked[0].replace('_', '-')}"
        flag = flag if asked[0] in options.limits else f"--objective {asked[0]}"
        raise ConfigError(
            f"{flag} needs measurements: --latency-device DEVICE, or --latency-table FILE (which "
            f"archwright profile writes)"
        )
    if sources and not asked and not front:
        raise ConfigError(f"{sources[0]} has no use without --max-latency-ms or --max-energy-mj")
