"""Budget options of a search: limits on the costs of its result."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from archwright.backends.formats import Weights
from archwright.cost.contract import flag_of
from archwright.cost.registry import Limits, budget_costs
from archwright.engine.options import RunOptions, require, require_not_negative, require_positive
from archwright.errors import ConfigError, unknown


@dataclass(frozen=True, kw_only=True)
class LimitOptions(Limits, RunOptions):
    """Budgets, one for each cost of the registry, and the source of measured costs."""

    latency_device: str | None = None
    """Device of HW-NAS-Bench whose latency and energy are used: edgegpu, raspi4, edgetpu, pixel3,
    eyeriss or fpga (space nasbench201)."""
    latency_table: Path | None = None
    """File with your own measurements, CSV or parquet: of architectures, or of operations as
    archwright profile writes them."""

    def __post_init__(self) -> None:
        """Check each option by itself.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        super().__post_init__()
        require_positive(self, *(cost.option for cost in budget_costs().values()))

    @property
    def limits(self) -> dict[str, float]:
        """Limit of each limited cost, by its name."""
        given = {name: getattr(self, cost.option) for name, cost in budget_costs().items()}
        return {name: float(limit) for name, limit in given.items() if limit is not None}


@dataclass(frozen=True, kw_only=True)
class BudgetOptions(LimitOptions):
    """Budgets, and the size of the networks that they apply to."""

    deploy_channels: int | None = None
    """Width of the network whose cost is limited. Default: the width of training."""
    deploy_cells: int | None = None
    """Depth of the network whose cost is limited. Default: the depth of training."""
    deploy_image_size: int | None = None
    """Side of the images, in pixels, for which costs are limited. Default: that of the data."""
    deploy_weights: Weights = "float32"
    """Type of the exported weights, for sizes in MB."""
    objective: str | None = None
    """Weights of costs in the loss of alpha: latency_ms=0.3+params=0.1. Each cost is divided by its
    value at equal weights of all candidates."""
    pareto: int | None = None
    """Number of architectures of a Pareto front, derived from the same supernet at budgets from the
    smallest possible one to the largest."""

    finalists: int | None = None
    """Number of top-ranked feasible architectures that are compared by validation loss, with the
    weights of the supernet on the images of alpha, before one is chosen. 1: no comparison. Default:
    32 with --regularity, else 16 (diffgraph: 1) if a budget rules out the top-ranked one, else
    1."""
    spend: float = 1.5
    """Bonus on the score of an architecture that uses all of its budgets, in nats for each
    decision: of architectures that alpha ranks almost equally, the larger one is chosen. 0: no
    bonus."""
    regularity: float = 0.0
    """Weight of the irregularity of an architecture (many distinct operations, few repeated nodes)
    in the loss of alpha and in the comparison of finalists."""

    def __post_init__(self) -> None:
        """Check each option by itself, and their combination.

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
                f"--objective weighs {both[0]}, which {budget_costs()[both[0]].flag} limits: give "
                f"one of the two"
            )
        require_sources(self, weights, front=self.pareto is not None and not self.limits)
        typed = [cost for cost in budget_costs().values() if cost.by_weight_type]
        uses = " or ".join(f"{cost.flag} or a {cost.name} in --objective" for cost in typed)
        require(
            self.deploy_weights == "float32"
            or any(cost.name in {*self.limits, *weights} for cost in typed),
            f"--deploy-weights {self.deploy_weights} has no use without {uses}",
        )
        require(
            bool(self.limits) or self.pareto is not None or self.spend == BudgetOptions.spend,
            f"--spend {self.spend:g} has no use without a budget, such as --max-macs 5e7",
        )
        if not self.limits and not weights and self.pareto is None:
            for name in ("deploy_channels", "deploy_cells", "deploy_image_size"):
                require(
                    getattr(self, name) is None,
                    f"{flag_of(name)} has no use without a budget, --objective or --pareto",
                )

    @property
    def objective_weights(self) -> dict[str, float]:
        """Weight of each cost in alpha's loss, by its name.

        Raises:
            ConfigError: the objective cannot be read.
        """
        found: dict[str, float] = {}
        for part in (self.objective or "").split("+") if self.objective is not None else ():
            name, _, text = part.partition("=")
            if name not in budget_costs():
                known = unknown("cost", name, budget_costs())
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
        ConfigError: there is none, there are two, or the source is not used.
    """
    measured = [cost for cost in budget_costs().values() if cost.kind == "measured"]
    asked = [cost for cost in measured if cost.name in {*options.limits, *weighed}]
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
        first = asked[0]
        flag = first.flag if first.name in options.limits else f"--objective {first.name}"
        raise ConfigError(
            f"{flag} needs measurements: --latency-device DEVICE, or --latency-table FILE (which "
            f"archwright profile writes)"
        )
    if sources and not asked and not front:
        flags = " or ".join(cost.flag for cost in measured)
        raise ConfigError(f"{sources[0]} has no use without {flags}")
