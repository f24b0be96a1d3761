"""How values lie over seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Self


@dataclass(frozen=True)
class Spread:
    """The mean of some values, and their standard deviation (None of a single one)."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """That of one value or more."""
        held = list(values)
        return cls(mean(held), stdev(held) if len(held) > 1 else None)

    def text(self, places: int = 2, *, signed: bool = False) -> str:
        """The mean with so many decimals, and the deviation in brackets if there is one."""
        behind = "" if self.deviation is None else f" ({self.deviation:.{places}f})"
        return f"{self.mean:{'+' if signed else ''}.{places}f}{behind}"
