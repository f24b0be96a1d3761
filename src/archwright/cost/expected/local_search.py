"""Local search over discrete choices."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

_State = TypeVar("_State")


def local_search(
    start: _State,
    cost: Callable[[_State], float],
    neighbours: Callable[[_State], Iterable[_State]],
    *,
    enough: float = -float("inf"),
    gain: float = 0.0,
    first_of: int | None = None,
) -> tuple[float, _State]:
    """Return the least cost that moves to neighbours reach from `start`, and its state.

    Each move goes to the neighbour with the least cost, the first of equals; with `first_of`, to
    the first better one of that many neighbours, if the most promising come first. A move lowers
    the cost by more than `gain`; the search ends at a cost of `enough` or less.
    """
    best, state = cost(start), start
    while best > enough:
        costed = ((cost(one), one) for one in islice(neighbours(state), first_of))
        if first_of is None:
            found = min(costed, default=None, key=lambda pair: pair[0])
        else:
            found = next((pair for pair in costed if pair[0] < best - gain), None)
        if found is None or not found[0] < best - gain:
            break
        best, state = found
    return best, state
