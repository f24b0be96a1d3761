"""Costs in a log: with their limits, along a Pareto front, and the size of the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from archwright.errors import RunError
from archwright.report.reading import log_lines


@dataclass(frozen=True, kw_only=True)
class ParetoPoint:
    """Architecture of a Pareto front: the name and the value of its cost, its one-shot score."""

    cost: str
    value: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Costs of a result by name, the limits, and the size at which costs are counted.

    `size` is the size of that network, in words.
    """

    costs: Mapping[str, float]
    limits: Mapping[str, float]
    size: str


def front_point(point: log_lines.FrontPoint, where: str) -> ParetoPoint:
    """Return a point of a Pareto front; its first cost is the axis of the front.

    Raises:
        RunError: it lacks its costs or its accuracy.
    """
    costs = log_lines.known(point.costs)
    if not costs or point.accuracy is None:
        raise RunError(f"{where}: a point needs costs and accuracy; run again")
    cost, value = next(iter(costs.items()))
    return ParetoPoint(cost=cost, value=value, score=point.accuracy)


def priced(result: log_lines.Result) -> Priced | None:
    """Return the costs of a result; None if it has no size at which anything was counted."""
    if result.counted_at is None:
        return None
    return Priced(
        costs=log_lines.known(result.costs),
        limits=log_lines.known(result.limits),
        size=result.counted_at.text,
    )
