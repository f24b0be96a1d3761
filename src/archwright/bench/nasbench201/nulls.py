"""Null models of searches on NAS-Bench-201: the same procedure without anything learned.

All of these are computed from the table on demand; none uses an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np

from archwright.bench.engine.statistics import Spread
from archwright.bench.nasbench201.comparison import SearchSummary
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.nas.derive.untrained import untrained_architectures
from archwright.nas.methods import get_method
from archwright.nas.recipe import Derivation
from archwright.spaces import Size, get_space, write_architecture
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DATASETS

UNTRAINED_SEEDS = 300
_SIZE = Size(channels=4, cells=1)
"""Alpha does not depend on it."""
_CONV, _NONE = "nor_conv_3x3", "none"
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Null:
    """Null model: a row that must stand beside every search.

    Attributes:
        title: its name.
        n: architectures in its mean.
        accuracies: by data set.
        rank: median rank of 15,625 by CIFAR-10 test accuracy.
        exact: whether these are all possible architectures, and the mean an expectation.
    """

    title: str
    n: int
    accuracies: dict[str, Spread]
    rank: float
    exact: bool


@dataclass(frozen=True, kw_only=True)
class NullDifference:
    """Difference of a method and a null model in points: its mean, and its 95 % interval."""

    null: str
    dataset: str
    difference: float
    low: float
    high: float


@cache
def nulls() -> tuple[Null, ...]:
    """Compute the null models of searches on NAS-Bench-201.

    An untrained alpha, derived as searches are and by the nested ranking; a uniform draw from the
    candidates without `none`, and from all, of connected cells; and the cell of six 3x3 convs.
    """
    cells = nasbench201.architectures()
    six = "+".join(
        "|" + "|".join(f"{_CONV}~{source}" for source in range(node)) + "|" for node in (1, 2, 3)
    )
    return (
        _null("untrained", _untrained("flat")),
        _null("untrained, nested ranking", _untrained("nested")),
        _null("uniform draw, without none", [c for c in cells if _NONE not in c], exact=True),
        _null("uniform draw, connected", [c for c in cells if _depends(c)], exact=True),
        _null("six 3x3 convolutions", [six]),
    )


def main_nulls() -> tuple[Null, ...]:
    """Select the null models that a method must exceed: untrained, drawn uniformly, six 3x3."""
    untrained, _, drawn, _, six = nulls()
    return untrained, drawn, six


def null_differences(row: SearchSummary, null: Null) -> list[NullDifference]:
    """Compare a method with a null model on each data set, if the method has two searches or more.

    The interval is Student's; for a null model that is a sample, too, its own error counts (Welch).
    """
    return [
        _null_difference(null, name, row.accuracies[name], row.n) for name in DATASETS if row.n > 1
    ]


def _null_difference(null: Null, dataset: str, found: Spread, n: int) -> NullDifference:
    from scipy.special import stdtrit

    own = (found.deviation or 0.0) ** 2 / n
    known = null.accuracies[dataset]
    other = 0.0 if null.exact or known.deviation is None else known.deviation**2 / null.n
    error = own + other
    freedom = n - 1.0
    if other:
        freedom = error**2 / (own**2 / (n - 1) + other**2 / (null.n - 1))
    half = float(stdtrit(freedom, (1 + _CONFIDENCE) / 2)) * sqrt(error)
    difference = found.mean - known.mean
    return NullDifference(
        null=null.title,
        dataset=dataset,
        difference=difference,
        low=difference - half,
        high=difference + half,
    )


def _untrained(derivation: Derivation) -> list[str]:
    space = get_space("nasbench201")
    network = simplify(space.supernet(_SIZE), simplification("all"))
    found = untrained_architectures(
        *(get_method("darts"), space, _SIZE, network, range(UNTRAINED_SEEDS)),
        derivation=derivation,
        ranks_none=False,
    )
    return [write_architecture(one) for one in found]


def _depends(cell: str) -> bool:
    """Return whether a cell's output depends on its input: some path through it has no `none`."""
    nodes = [node.strip("|").split("|") for node in cell.split("|+|")]
    reached = {0}
    for node, edges in enumerate(nodes, 1):
        if any(
            edge.split("~")[0] != _NONE and int(edge.split("~")[1]) in reached for edge in edges
        ):
            reached.add(node)
    return len(nodes) in reached


def _null(title: str, cells: Sequence[str], *, exact: bool = False) -> Null:
    places = _places()
    rows = [places[cell] for cell in cells]
    columns = {name: nasbench201.accuracy(name)[rows] for name in DATASETS}
    everything = np.sort(nasbench201.accuracy())
    better = len(everything) - np.searchsorted(everything, columns["cifar10"], side="right")
    return Null(
        title=title,
        n=len(rows),
        accuracies={name: Spread.of(values.tolist()) for name, values in columns.items()},
        rank=float(np.median(better + 1)),
        exact=exact,
    )


@cache
def _places() -> dict[str, int]:
    """Return the row of each cell in the table's columns."""
    return {cell: row for row, cell in enumerate(nasbench201.architectures())}
