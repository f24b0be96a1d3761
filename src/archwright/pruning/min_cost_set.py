"""Which nodes to delete so that costs come down as far as they can, whatever nodes are worth.

What stands in for a deleted node costs something, too: a node may save nothing unless its
neighbours go as well, and one cost may fall while another rises. So the nodes of a cell are looked
at together.

Legend: T costs, S sets of nodes of one cell.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from archwright.cost.expected.local_search import local_search
from archwright.graph import Node

Shares = Callable[[frozenset[Node]], Sequence[float]]
"""Each cost of what is left without some nodes, in units of what it may be."""
Vector = NDArray[np.float64]

_WHOLE = 8
"""So many nodes a cell are looked at in all their sets; of more, few go or few stay."""
_STEPS = 8
"""Weights of costs in the search are multiples of one in so many."""


def furthest(nodes: Iterable[Node], shares: Shares) -> frozenset[Node]:
    """The nodes without which the worst of the costs is the least that was found.

    Of costs that are sums over cells this minimises weighted sums, which has a closed form, over a
    grid of weights, and from each of these answers the worst cost itself, a cell at a time. One
    cost alone is least by that; of several, and of costs that are no sums, it may miss some.
    """
    every = frozenset(nodes)
    cells = [_sets([n for n in every if n[0] == name]) for name in sorted({n[0] for n in every})]
    whole = np.asarray(shares(frozenset()), dtype=np.float64)  # [T]
    saved = [np.asarray([shares(one) for one in sets]) - whole for sets in cells]  # [S, T] each
    picks = {_descended(whole, saved, weights) for weights in _grid(len(whole))}
    found = [
        frozenset(chain.from_iterable(sets[at] for sets, at in zip(cells, pick, strict=True)))
        for pick in sorted(picks)
    ]
    return min([*found, every], key=lambda one: max(shares(one)))


def _sets(nodes: Sequence[Node]) -> list[frozenset[Node]]:
    """Sets of a cell's nodes, the smallest first."""
    count = len(nodes)
    sizes = (n for n in range(count + 1) if count <= _WHOLE or min(n, count - n) <= 2)
    return [frozenset(some) for size in sizes for some in combinations(sorted(nodes), size)]


def _descended(whole: Vector, saved: Sequence[Vector], weights: Vector) -> tuple[int, ...]:
    """Return the set of each cell: best for these weights, then changed while the worst falls."""

    def total(picks: tuple[int, ...]) -> Vector:
        return whole + sum(some[at] for some, at in zip(saved, picks, strict=True))

    def worst(picks: tuple[int, ...]) -> float:
        return float(total(picks).max())

    def neighbours(picks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the best exchange of each cell."""
        left = total(picks)
        for cell, some in enumerate(saved):
            best = int((left - some[picks[cell]] + some).max(axis=1).argmin())  # of [S]
            yield (*picks[:cell], best, *picks[cell + 1 :])

    start = tuple(int((some @ weights).argmin()) for some in saved)
    return local_search(start, worst, neighbours, gain=1e-12)[1]


def _grid(count: int) -> Iterator[Vector]:
    """Weights [T] of so many costs that add up to one."""
    for bars in combinations(range(_STEPS + count - 1), count - 1):
        ends = [-1, *bars, _STEPS + count - 1]
        yield (np.diff(ends) - 1) / _STEPS
