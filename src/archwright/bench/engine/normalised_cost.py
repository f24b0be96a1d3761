"""What a search takes beside the least of its table, as one number (TopoNAS, eq. 29)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class NormalisedCost:
    """The smallest memory of those that are compared, in bytes, and the shortest time, in seconds.

    They may be those of two different ones.
    """

    saved_bytes: int
    seconds: float

    @classmethod
    def of(cls, taken: Iterable[tuple[int, float]]) -> Self | None:
        """That of pairs of bytes and seconds; None of none."""
        held = list(taken)
        return cls(min(m for m, _ in held), min(t for _, t in held)) if held else None

    def cost(self, saved_bytes: int, seconds: float) -> float:
        """(M / M_min + T / T_min) / 2."""
        return (saved_bytes / self.saved_bytes + seconds / self.seconds) / 2
