"""Costs that add up over a network: a constant, and a table of what each candidate adds.

Legend: N architectures, E decisions, O candidates of the largest decision (smaller ones are
padded).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable, EdgeFilter
from archwright.cost.expected.located_ops import LocatedOp, Operation, searchable_and_fixed
from archwright.graph import Architecture

_RIDGES = (1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties tried, in units of the largest singular value's square."""


@dataclass(frozen=True)
class AdditiveCost:
    """constant + sum over e, o of weights[e, o] * table[e, o].

    Its gradient is the table itself. Unless all that is picked counts, a weight counts as far as
    its edge is of the sort that does (see `DecisionTable.counted`).
    """

    layout: DecisionTable
    constant: float
    table: Tensor
    counted: EdgeFilter = "picked"

    def __call__(self, weights: Tensor) -> Tensor:
        """The cost [...] expected under weights [..., E, O] of the supernet's candidates."""
        counted = self.layout.counted(weights, self.counted)
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
    layout: DecisionTable,
    cost: Callable[[LocatedOp], float],
    *,
    constant: float = 0.0,
    counted: EdgeFilter = "picked",
) -> AdditiveCost:
    """The cost of networks whose parts have known costs, and which cost `constant` beyond them.

    What does the same on the same shapes costs the same: `cost` is asked once.
    """
    known: dict[Operation, float] = {}

    def priced(place: LocatedOp) -> float:
        if place.operation not in known:
            known[place.operation] = cost(place)
        return known[place.operation]

    searched, fixed = searchable_and_fixed(layout.network)
    table = layout.zeros()
    for decision, place in searched:
        table[layout.at(decision, place.name)] += priced(place)
    return AdditiveCost(layout, constant + sum(map(priced, fixed)), table, counted)


def params(layout: DecisionTable, *, live: bool = False) -> AdditiveCost:
    """Learned weights, as published: of all edges; with `live` of those on a way to the output."""
    return additive(layout, lambda place: place.params, counted="live" if live else "picked")


def macs(layout: DecisionTable, *, live: bool = False) -> AdditiveCost:
    """Multiply-accumulates on one image; see `params`."""
    return additive(layout, lambda place: place.macs, counted="live" if live else "picked")


def fit(
    layout: DecisionTable, architectures: Sequence[Architecture], costs: Sequence[float]
) -> AdditiveCost:
    """The additive cost that comes nearest to known costs [N], by least squares.

    Of everything that was picked, of what is used, or of what is live: some compilers run dead
    edges, others drop them. The smallest leave-one-out error says which.
    """
    values = torch.tensor(costs, dtype=torch.float64)
    picked = layout.one_hots(architectures)
    fits = {
        which: ridge(layout.counted(picked, which).flatten(1), values)
        for which in get_args(EdgeFilter)
    }
    which = min(fits, key=lambda one: fits[one].error)
    slopes, constant, _ = fits[which]
    return AdditiveCost(layout, constant, slopes.view(picked.shape[1:]), which)


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
