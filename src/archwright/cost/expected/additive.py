"""Additive costs: a constant, and a table of the contribution of each candidate.

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
"""Ridge penalties to try, in units of the square of the largest singular value."""


@dataclass(frozen=True)
class AdditiveCost:
    """Additive cost: constant + sum over e, o of weights[e, o] * table[e, o].

    Its gradient is the table. With `counted` other than "picked", a weight is multiplied by the
    weight with which its edge is used or live (see `DecisionTable.counted`).
    """

    layout: DecisionTable
    constant: float
    table: Tensor
    counted: EdgeFilter = "picked"

    def __call__(self, weights: Tensor) -> Tensor:
        """Return the expected cost [...] of a supernet under weights [..., E, O] of candidates."""
        counted = self.layout.counted(weights, self.counted)
        return self.constant + (counted * self.table.to(weights)).sum(dim=(-2, -1))

    def of(self, architecture: Architecture) -> float:
        """Return the cost of an architecture: the cost of its one-hot weights.

        Raises:
            GenotypeError: it does not belong to the space at this size.
        """
        return float(self(self.layout.one_hot(architecture)))

    def times(self, factor: float) -> "AdditiveCost":
        """Return the cost in another unit."""
        return replace(self, constant=self.constant * factor, table=self.table * factor)


def additive(
    layout: DecisionTable,
    cost: Callable[[LocatedOp], float],
    *,
    constant: float = 0.0,
    counted: EdgeFilter = "picked",
) -> AdditiveCost:
    """Return the additive cost of networks: the known costs of their parts, and a `constant`.

    Equal operations on equal shapes cost the same: `cost` is called once for them.
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
    """Return the number of weights, as published: of all edges; with `live`, of live edges only."""
    return additive(layout, lambda place: place.params, counted="live" if live else "picked")


def macs(layout: DecisionTable, *, live: bool = False) -> AdditiveCost:
    """Return the multiply-accumulates for one image; see `params`."""
    return additive(layout, lambda place: place.macs, counted="live" if live else "picked")


def fit(
    layout: DecisionTable, architectures: Sequence[Architecture], costs: Sequence[float]
) -> AdditiveCost:
    """Fit an additive cost to known costs [N] by ridge regression.

    Some compilers run dead edges and others drop them, so the fit counts all picked edges, used
    edges, or live edges: the filter with the smallest leave-one-out error.
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
    """Linear predictor: slopes [F], intercept, and its mean squared leave-one-out error."""

    slopes: Tensor
    intercept: float
    error: float


def ridge(features: Tensor, values: Tensor) -> Ridge:
    """Fit a linear predictor of values [N] from features [N, F], both float64.

    The penalty on the slopes is the one in `_RIDGES` with the smallest leave-one-out error, which
    has a closed form for ridge regression: residual / (1 - leverage).
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
