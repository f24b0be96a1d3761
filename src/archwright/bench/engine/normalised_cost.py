"""Normalised cost of a search: memory and time relative to the least (TopoNAS, eq. 29)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class NormalisedCost:
    """Normalised cost: least memory in bytes, and least time in seconds, of the compared searches.

    The two may be those of different searches.
    """

    saved_bytes: int
    seconds: float

    @classmethod
    def of(cls, taken: Iterable[tuple[int, float]]) -> Self | None:
        """Take the least of pairs of bytes and seconds; None if there are none."""
        held = list(taken)
        return cls(min(m for m, _ in held), min(t for _, t in held)) if held else None

    def cost(self, saved_bytes: int, seconds: float) -> float:
        """Return (M / M_min + T / T_min) / 2."""
        return (saved_bytes / self.saved_bytes + seconds / self.seconds) / 2
