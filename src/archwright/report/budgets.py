"""Budgets beside what the network costs in the end: a table of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.cost.registry import get_cost
from archwright.report import formatting


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A limit on a cost, what the search reckoned with, and what the final network takes.

    `measured`: that was measured on the exported file, else it is counted or predicted.
    """

    cost: str
    limit: float
    predicted: float
    value: float
    measured: bool
    holds: bool


def budgets(judged: Sequence[Judged]) -> list[dict[str, str]]:
    """The rows of the table, as text."""
    return [
        {
            "name": get_cost(one.cost).heading,
            "limit": _number(one.cost, one.limit),
            "predicted": _number(one.cost, one.predicted),
            "value": _number(one.cost, one.value),
            "how": "measured" if one.measured else "counted or predicted",
            "holds": "yes" if one.holds else "no",
        }
        for one in judged
    ]


def _number(cost: str, value: float) -> str:
    timed = get_cost(cost).unit == "ms"
    return formatting.milliseconds(value) if timed else formatting.si(value)
