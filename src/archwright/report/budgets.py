"""Budgets and costs of the final network: a table of the page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archwright.cost.registry import get_cost
from archwright.report import formatting


@dataclass(frozen=True, kw_only=True)
class BudgetCheck:
    """Budget and cost of the final network, in the unit of the cost's name.

    Attributes:
        predicted: the cost that the search predicted within the budget, before any pruning.
        measured: whether `value` was measured on the exported file; else it is counted or
            predicted.
    """

    cost: str
    limit: float
    predicted: float
    value: float
    measured: bool

    @property
    def holds(self) -> bool:
        """Whether the final network is within the budget."""
        return get_cost(self.cost).holds(self.value, self.limit)

    def to_json(self) -> dict[str, Any]:
        """Return every field, and whether it holds."""
        return {**asdict(self), "holds": self.holds}


def budgets(checks: Sequence[BudgetCheck]) -> list[dict[str, str]]:
    """Return the rows of the table, as text."""
    return [
        {
            "name": get_cost(one.cost).heading,
            "limit": _number(one.cost, one.limit),
            "predicted": _number(one.cost, one.predicted),
            "value": _number(one.cost, one.value),
            "how": "measured" if one.measured else "counted or predicted",
            "holds": "yes" if one.holds else "no",
        }
        for one in checks
    ]


def _number(cost: str, value: float) -> str:
    timed = get_cost(cost).unit == "ms"
    return formatting.milliseconds(value) if timed else formatting.si(value)
