"""Budgets beside what the network costs in the end: a table of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.report import formatting

_NAMES = {
    "latency_ms": "latency, ms",
    "macs": "multiply-accumulates",
    "params": "parameters",
    "memory_mb": "memory, MB",
    "size_mb": "size, MB",
    "energy_mj": "energy, mJ",
}


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
            "name": _NAMES.get(one.cost, one.cost),
            "limit": _number(one.cost, one.limit),
            "predicted": _number(one.cost, one.predicted),
            "value": _number(one.cost, one.value),
            "how": "measured" if one.measured else "counted or predicted",
            "holds": "yes" if one.holds else "no",
        }
        for one in judged
    ]


def _number(cost: str, value: float) -> str:
    return formatting.milliseconds(value) if cost == "latency_ms" else formatting.si(value)
