"""Budgets, and what an architecture costs beside them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archwright.cost.model import AdditiveCostModel, CostModel
from archwright.graph import Architecture

ROUNDING = 1e-9
"""A cost may exceed its limit by this part of it: sums of floats differ in their last digits."""


@dataclass(frozen=True)
class Budget:
    """A cost and the most that it may be, both in the unit of the cost's name."""

    cost: CostModel
    limit: float

    @property
    def flag(self) -> str:
        """The option that sets it."""
        return flag_of(self.cost.name)

    @property
    def unit(self) -> str:
        """The unit behind a number; nothing for plain numbers."""
        return {"ms": " ms", "mb": " MB", "mj": " mJ"}.get(self.cost.name.rpartition("_")[2], "")

    @property
    def adds_up(self) -> bool:
        """Whether the cost is exactly the sum of its surrogate's table."""
        return isinstance(self.cost, AdditiveCostModel) and self.cost.adds_up

    def ratio(self, architecture: Architecture) -> float:
        """The cost in units of the limit; where it is predicted, what it will hardly exceed."""
        return self.cost.bound(architecture) / self.limit

    def ratios(self, architectures: Sequence[Architecture]) -> list[float]:
        """The ratio of each."""
        return [bound / self.limit for bound in self.cost.bounds(architectures)]

    def holds(self, architecture: Architecture) -> bool:
        """Whether the architecture is within the limit; what was not measured is not."""
        return within(self.ratio(architecture))

    def number(self, value: float) -> str:
        """A value of this cost as a text shows it, rounded so that it is never shown smaller."""
        shown = f"{value:,.0f}" if not self.unit else f"{value:.4g}"
        return shown + self.unit


def flag_of(cost: str) -> str:
    """The option that limits the cost of that name."""
    return "--max-" + cost.replace("_", "-")


def within(ratio: float) -> bool:
    """Whether a cost of so many limits is no more than one."""
    return ratio <= 1 + ROUNDING


def costs_to_json(costs: Mapping[str, float]) -> dict[str, float | None]:
    """Costs by name as JSON has them, which knows no infinity: None is a cost that is not known."""
    return {name: value if math.isfinite(value) else None for name, value in costs.items()}


def costs_from_json(costs: Mapping[str, float | None]) -> dict[str, float]:
    """The inverse of `costs_to_json`."""
    return {name: math.inf if value is None else value for name, value in costs.items()}
