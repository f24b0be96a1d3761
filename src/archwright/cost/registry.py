"""Registry of costs by name, and the options of their budgets and pruning targets.

Other distributions add a cost by an entry point of the group `archwright.costs`, whose object is a
`Cost`. Its budget is then an option of search and build; inspect and the report print its value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archwright.cost.contract import Cost, CostContext
from archwright.cost.definitions.energy import ENERGY_MJ
from archwright.cost.definitions.latency import LATENCY_MS
from archwright.cost.definitions.macs import MACS
from archwright.cost.definitions.memory import MEMORY_MB
from archwright.cost.definitions.params import PARAMS
from archwright.cost.definitions.size import SIZE_MB
from archwright.cost.definitions.training_memory import TRAINING_MEMORY_MB
from archwright.errors import ConfigError, unknown
from archwright.io.plugins import load_plugin, plugins

if TYPE_CHECKING:
    from archwright.cost.expected.model import CostModel
    from archwright.spaces import Size, Space

GROUP = "archwright.costs"
"""Group of the entry points with which other packages add costs."""


def _registered() -> Mapping[str, Cost]:
    own = (LATENCY_MS, MACS, PARAMS, MEMORY_MB, SIZE_MB, ENERGY_MJ, TRAINING_MEMORY_MB)
    found: dict[str, Cost] = {cost.name: cost for cost in own}
    for place in plugins(GROUP).values():
        cost: object = load_plugin(place)
        if not isinstance(cost, Cost):
            raise ConfigError(f"{place} (entry point of {GROUP}) is not a Cost: make it one")
        if cost.name in found:
            raise ConfigError(f"{place}: a cost {cost.name} exists already: rename this one")
        found[cost.name] = cost
    return MappingProxyType(found)


COSTS: Mapping[str, Cost] = _registered()
"""Every cost, in the order of options, by its name."""


def get_cost(name: str) -> Cost:
    """Return the cost of that name.

    Raises:
        ConfigError: there is none (the nearest name is given).
    """
    if name not in COSTS:
        raise ConfigError(unknown("cost", name, COSTS))
    return COSTS[name]


def budget_costs() -> dict[str, Cost]:
    """Return the costs that a search can limit or weigh, by name."""
    return {name: cost for name, cost in COSTS.items() if cost.budget_help}


def target_costs() -> dict[str, Cost]:
    """Return the costs that can be a pruning target, by name; measured ones come last."""
    found = [cost for cost in COSTS.values() if cost.target_help]
    return {cost.name: cost for cost in sorted(found, key=lambda cost: cost.kind == "measured")}


def cost_model(
    name: str,
    space: "Space",
    size: "Size",
    *,
    weight_bytes: int = 4,
    latency_device: str | None = None,
    latency_table: Path | None = None,
) -> "CostModel":
    """Return the model of a cost (of `COSTS`) for the networks of a space at the deployment size.

    See `CostContext` for the other arguments.

    Raises:
        ConfigError: the cost is unknown, there is not exactly one source of latencies, the device
            has no measurements of the space and size, or the table is unusable.
    """
    from archwright.cost.expected.decision_table import DecisionTable

    context = CostContext(
        weight_bytes=weight_bytes, latency_device=latency_device, latency_table=latency_table
    )
    return get_cost(name).build(DecisionTable(space, size), context)


def _options(name: str, doc: str, texts: Mapping[str, str], *, unset: str) -> type:
    """Return a frozen dataclass of optional numbers, each with its help."""
    columns: list[tuple[str, Any, Any]] = [
        (option, float | None, field(default=None, metadata={"help": text, "unset": unset}))
        for option, text in texts.items()
    ]
    namespace = {"__doc__": doc, "__module__": __name__}
    return make_dataclass(name, columns, namespace=namespace, frozen=True, kw_only=True)


if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True)
    class Limits:
        """Budget options for type checkers: those of the costs of archwright itself."""

        max_latency_ms: float | None = None
        max_macs: float | None = None
        max_params: float | None = None
        max_memory_mb: float | None = None
        max_size_mb: float | None = None
        max_energy_mj: float | None = None

    @dataclass(frozen=True, kw_only=True)
    class Targets:
        """Pruning targets for type checkers: those of the costs of archwright itself."""

        macs: float | None = None
        params: float | None = None
        memory_mb: float | None = None
        latency_ms: float | None = None

else:
    Limits = _options(
        "Limits",
        "Limits of all costs that can have a budget.",
        {cost.option: cost.budget_help for cost in budget_costs().values()},
        unset="no limit",
    )
    Targets = _options(
        "Targets",
        "Targets of all costs that can be a pruning target.",
        {cost.name: cost.target_help for cost in target_costs().values()},
        unset="no limit",
    )
