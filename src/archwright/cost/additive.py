"""Costs that add up over a network: a constant, and a table of what each candidate adds.

Legend: N architectures, E decisions, O candidates of the largest decision (smaller ones are
padded).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from archwright.cost.layout import Layout
from archwright.cost.places import Operation, Place, split
from archwright.ir import Architecture

_RIDGES = (1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties tried, in units of the largest singular value's square."""


@dataclass(frozen=True)
class AdditiveCost:
    """constant + sum over e, o of weights[e, o] * table[e, o].

    Its gradient is the table itself. With `live`, a weight counts as far as its edge is on a way
    from the input of its cell to the output (see `Layout.live`).
    """

    layout: Layout
    constant: float
    table: Tensor
    live: bool = False

    def __call__(self, weights: Tensor) -> Tensor:
        """The cost [...] expected under weights [..., E, O] of the supernet's candidates."""
        counted = self.layout.live(weights) if self.live else weights
        return self.constant + (counted * self.table.to(weights)).sum(dim=(-2, -1))

    def of(self, architecture: Architecture) -> float:
        """The cost of an architecture: that of one-hot weights.

        Raises:
            GenotypeError: it does not belong to the space at this size.
        """
        return float(self(self.layout.one_hot(architecture)))

    def times(self, factor: float) -> "AdditiveCost":
        """The same in another unit."""
        return replace(self, constant=self.constant * factor, table=self.table * factor)


def additive(
    layout: Layout,
    cost: Callable[[Place], float],
    *,
    constant: float = 0.0,
    live: bool = False,
) -> AdditiveCost:
    """The cost of networks whose parts have known costs, and which cost `constant` beyond them.

    What does the same on the same shapes costs the same: `cost` is asked once.
    """
    known: dict[Operation, float] = {}

    def priced(place: Place) -> float:
        if place.operation not in known:
            known[place.operation] = cost(place)
        return known[place.operation]

    searched, fixed = split(layout.network)
    table = layout.zeros()
    for decision, place in searched:
        table[layout.at(decision, place.name)] += priced(place)
    return AdditiveCost(layout, constant + sum(map(priced, fixed)), table, live)


def params(layout: Layout, *, live: bool = False) -> AdditiveCost:
    """Learned weights, as published: of all edges; with `live` of those on a way to the output."""
    return additive(layout, lambda place: place.params, live=live)


def macs(layout: Layout, *, live: bool = False) -> AdditiveCost:
    """Multiply-accumulates on one image; see `params`."""
    return additive(layout, lambda place: place.macs, live=live)


def fit(
    layout: Layout, architectures: Sequence[Architecture], costs: Sequence[float]
) -> AdditiveCost:
    """The additive cost that comes nearest to known costs [N], by least squares.

    Either of everything that was picked, or of what is live: some compilers run dead edges, others
    drop them. The smaller leave-one-out error says which.
    """
    values = torch.tensor(costs, dtype=torch.float64)
    picked = layout.one_hots(architectures)
    fits = {
        live: ridge((layout.live(picked) if live else picked).flatten(1), values)
        for live in (False, True)
    }
    live = min(fits, key=lambda which: fits[which].error)
    slopes, constant, _ = fits[live]
    return AdditiveCost(layout, constant, slopes.view(picked.shape[1:]), live)


class Ridge(NamedTuple):
    """A linear prediction: slopes [F], intercept, and its mean squared leave-one-out error."""

    slopes: Tensor
    intercept: float
    error: float


def ridge(features: Tensor, values: Tensor) -> Ridge:
    """Predict values [N] from features [N, F], both float64.

    The penalty on the slopes is the one of `_RIDGES` with the smallest leave-one-out error, which
    ridge regression has in closed form: residual / (1 - leverage).
    """
    centre, mean = features.mean(dim=0), values.mean()
    left, singular, right = torch.linalg.svd(features - centre, full_matrices=False)
    projected = left.T @ (values - mean)
    floor = singular[0].square().clamp(min=1e-12)  # where all features are equal, slopes are zero
    found: list[Ridge] = []
    for penalty in _RIDGES:
        shrunk = singular.square() / (singular.square() + floor * penalty)
        residual = values - mean - left @ (shrunk * projected)
        leverage = left.square() @ shrunk + 1 / len(values)
        error = float((residual / (1 - leverage).clamp(min=1e-9)).square().mean())
        slopes = right.T @ (singular / (singular.square() + floor * penalty) * projected)
        found.append(Ridge(slopes, float(mean - centre @ slopes), error))
    return min(found, key=lambda one: one.error)
