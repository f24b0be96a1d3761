"""What a log says of costs: beside their limits, along a front, and at which size they count."""

from collections.abc import Mapping
from dataclasses import dataclass

from archwright.errors import RunError
from archwright.report.record import Record
from archwright.spaces import Size


@dataclass(frozen=True, kw_only=True)
class ParetoPoint:
    """An architecture of a front: the name and the value of its cost, its one-shot accuracy."""

    cost: str
    value: float
    top1: float


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What a result costs by the cost's name, the limits that there are, and the size of it all.

    `size` is the size of the network that costs are counted for, in words.
    """

    costs: Mapping[str, float]
    limits: Mapping[str, float]
    size: str


def front_point(record: Record) -> ParetoPoint:
    """A point of a front; its first cost is the one that the front is along.

    Raises:
        RunError: it lacks its costs or its accuracy.
    """
    costs, top1 = record.number_by_name("costs"), record.number("accuracy")
    if not costs or top1 is None:
        raise RunError(f"{record.where}: a point needs costs and accuracy; run again")
    cost, value = next(iter(costs.items()))
    return ParetoPoint(cost=cost, value=value, top1=top1)


def priced(record: Record) -> Priced | None:
    """The costs of a result; None: it does not say at which size anything was counted.

    Raises:
        RunError, ConfigError: it says no size, or one that no network has.
    """
    held = record.values.get("counted_at")
    if held is None:
        return None
    size = Record.of(held, f"{record.where} counted_at")
    return Priced(
        costs=record.number_by_name("costs"),
        limits=record.number_by_name("limits"),
        size=Size(**{name: size.integer(name) for name in Size.__dataclass_fields__}).text,
    )
