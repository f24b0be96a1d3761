"""Set of nodes whose deletion reduces costs the most, regardless of importance.

The replacement of a deleted node has a cost, too: deleting a node may save nothing unless its
neighbours are deleted as well, and one cost may fall while another rises. So the nodes of a cell
are considered together.

Legend: T costs, S sets of nodes of one cell.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from archwright.cost.expected.local_search import local_search
from archwright.graph import Node

Shares = Callable[[frozenset[Node]], Sequence[float]]
"""Function that returns each cost without some nodes, as a fraction of its limit."""
Vector = NDArray[np.float64]

_WHOLE = 8
"""Largest number of nodes of a cell of which all sets are tried; of more nodes, at most 2 are
deleted or at most 2 remain."""
_STEPS = 8
"""The weights of costs in the search are multiples of 1 / `_STEPS`."""


def min_cost_set(nodes: Iterable[Node], shares: Shares) -> frozenset[Node]:
    """Return the set of nodes whose deletion gives the smallest worst cost that was found.

    For costs that are sums over cells, weighted sums of the costs are minimised in closed form over
    a grid of weights; from each of these solutions the worst cost itself is reduced, one cell at a
    time. The result is optimal for one cost; for several, and for costs that are no sums, it may
    miss the optimum.
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
    """Return sets of a cell's nodes, the smallest first."""
    count = len(nodes)
    sizes = (n for n in range(count + 1) if count <= _WHOLE or min(n, count - n) <= 2)
    return [frozenset(some) for size in sizes for some in combinations(sorted(nodes), size)]


def _descended(whole: Vector, saved: Sequence[Vector], weights: Vector) -> tuple[int, ...]:
    """Return the set of each cell: the best for these weights, then exchanged while the worst cost
    falls.
    """

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
    """Yield weights [T] of `count` costs, which add up to one."""
    for bars in combinations(range(_STEPS + count - 1), count - 1):
        ends = [-1, *bars, _STEPS + count - 1]
        yield (np.diff(ends) - 1) / _STEPS
