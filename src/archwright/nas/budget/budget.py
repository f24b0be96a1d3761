"""Budget: a limit on a cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archwright.cost.contract import within
from archwright.cost.expected.model import AdditiveCostModel, CostModel
from archwright.cost.registry import get_cost
from archwright.graph import Architecture


@dataclass(frozen=True)
class Budget:
    """Limit on a cost, in the unit that the cost's name gives."""

    cost: CostModel
    limit: float

    @property
    def flag(self) -> str:
        """Flag that sets the budget."""
        return get_cost(self.cost.name).flag

    @property
    def adds_up(self) -> bool:
        """Whether the cost is exactly the sum of its surrogate's table."""
        return isinstance(self.cost, AdditiveCostModel) and self.cost.adds_up

    def ratio(self, architecture: Architecture) -> float:
        """Return cost / limit; where the cost is predicted, its upper bound is taken."""
        return self.cost.bound(architecture) / self.limit

    def ratios(self, architectures: Sequence[Architecture]) -> list[float]:
        """Return the ratio of each architecture."""
        return [bound / self.limit for bound in self.cost.bounds(architectures)]

    def holds(self, architecture: Architecture) -> bool:
        """Return whether the architecture is within the limit; what was not measured is not."""
        return within(self.ratio(architecture))

    def number(self, value: float) -> str:
        """Return a value of this cost as text."""
        return get_cost(self.cost.name).format(value)


def costs_to_json(costs: Mapping[str, float]) -> dict[str, float | None]:
    """Return costs by name for JSON, which has no infinity; None: a cost that is not known."""
    return {name: value if math.isfinite(value) else None for name, value in costs.items()}


def costs_from_json(costs: Mapping[str, float | None]) -> dict[str, float]:
    """Return costs by name, the inverse of `costs_to_json`."""
    return {name: math.inf if value is None else value for name, value in costs.items()}
