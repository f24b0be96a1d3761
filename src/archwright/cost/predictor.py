"""The cost of whole graphs, learned from a few hundred that were measured.

A Gaussian process on the patterns of a graph: a linear part and a squared-exponential one,

    k(x, x') = a x x' + exp(-|x - x'|^2 / 2 l^2),

of three sets of features: what is picked (some compilers run everything), how often what is
connected how (others drop, fold or fuse), and all of that edge by edge. Which kernels speak, and
how loudly, is decided by what they say of each architecture when it is left out, which has a closed
form; so nothing is tuned by hand, and the same residuals say how far a prediction may be off.

Legend: N measured architectures, M kernels, E decisions, O candidates of the largest decision,
F features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import stdtrit
from torch import Tensor

from archwright.cost.decision_table import DecisionTable
from archwright.cost.patterns import ConnectivityFeatures, Groups
from archwright.graph import Architecture

_LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""l, in units of the features' root mean square."""
_LINEAR = (0.1, 1.0, 10.0)
"""a."""
_NOISES = (1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Variances of the measurements' noise, in units of the costs' variance."""
_RISK = 0.02
"""So rarely may a bound be below the cost that is measured afterwards."""
_TINY = 1e-12


@dataclass(frozen=True)
class Predictor:
    """A cost, predicted from the weights of candidates; differentiable in them.

    Attributes:
        margin: what a bound allows for, of the cost's own unit.
        error: the root of the mean squared leave-one-out error, in that unit.
    """

    patterns: ConnectivityFeatures
    views: tuple["View", ...]
    mean: float
    margin: float
    error: float

    def __call__(self, weights: Tensor) -> Tensor:
        """The cost [...] of weights [..., E, O]: of an architecture, if they are one-hot.

        It is computed where what was learned lies, on the CPU, in double precision.
        """
        groups = self.patterns(weights.cpu().double())
        said = torch.stack([view(groups) for view in self.views]).sum(dim=0)
        return (self.mean + said).to(weights)


def fit_predictor(
    layout: DecisionTable, architectures: Sequence[Architecture], costs: Sequence[float]
) -> Predictor:
    """Learn from known costs [N]; the same architectures give the same predictor."""
    patterns = ConnectivityFeatures(layout)
    groups = patterns(layout.one_hots(architectures))
    values = torch.tensor(costs, dtype=torch.float64)
    mean, scale = float(values.mean()), max(float(values.std(correction=0)), _TINY)
    wanted = (values - mean) / scale
    views = [Features.of(groups, names) for names in _sets(groups)]
    members = [
        (number, member)
        for number, view in enumerate(views)
        for member in _members(view.examples, wanted)
    ]
    left_out = torch.stack([member.left_out for _, member in members], dim=1)
    shares, _ = nnls(left_out.numpy(), wanted.numpy())
    shares = shares / max(float(shares.sum()), _TINY)
    residuals = (wanted - left_out @ torch.from_numpy(shares)).numpy() * scale
    spoken = [
        View.of(
            view, [(m, scale * s) for (at, m), s in zip(members, shares, strict=True) if at == n]
        )
        for n, view in enumerate(views)
    ]
    error = float(np.sqrt(np.mean(residuals**2)))
    return Predictor(patterns, tuple(spoken), mean, _quantile(residuals, 1 - _RISK), error)


def _sets(groups: Groups) -> tuple[tuple[str, ...], ...]:
    """What is picked; counts over all edges of a kind; everything."""
    return ("picked",), ("sums", "joins", "heads"), tuple(groups)


@dataclass(frozen=True)
class Features:
    """Some groups of features, around their mean, in units of their root mean square."""

    names: tuple[str, ...]
    centre: Tensor
    scale: float
    examples: Tensor

    @classmethod
    def of(cls, groups: Groups, names: tuple[str, ...]) -> "Features":
        """Those of measured architectures [N, F]."""
        joined = torch.cat([groups[name] for name in names], dim=-1)
        centre = joined.mean(dim=0)
        scale = max(float((joined - centre).square().sum(dim=1).mean().sqrt()), _TINY)
        return cls(names, centre, scale, (joined - centre) / scale)

    def __call__(self, groups: Groups) -> Tensor:
        """The same features [..., F] of others."""
        return (torch.cat([groups[name] for name in self.names], dim=-1) - self.centre) / self.scale


class Member(NamedTuple):
    """A kernel's fit: its duals [N], and what it says of each one that is left out [N]."""

    length: float
    linear: float
    duals: Tensor
    left_out: Tensor
    error: float


@dataclass(frozen=True)
class View:
    """What all kernels on one set of features say together."""

    features: Features
    slopes: Tensor
    lengths: Tensor
    duals: Tensor

    @classmethod
    def of(cls, features: Features, members: Sequence[tuple[Member, float]]) -> "View":
        """Members, each times its share."""
        slopes = sum(
            (share * m.linear * (features.examples.T @ m.duals) for m, share in members),
            torch.zeros_like(features.centre),
        )
        heard = [(m, share) for m, share in members if share > 0]
        lengths = torch.tensor([m.length for m, _ in heard], dtype=torch.float64)
        duals = [share * m.duals for m, share in heard]
        none = features.examples.new_zeros(0, len(features.examples))
        return cls(features, slopes, lengths, torch.stack(duals) if duals else none)

    def __call__(self, groups: Groups) -> Tensor:
        """Their share of the cost [...]."""
        x = self.features(groups)
        said = x @ self.slopes
        if len(self.lengths):
            distance = _distances(x, self.features.examples)[..., None, :]  # [..., 1, N]
            near = (-distance / (2 * self.lengths[:, None].square())).exp()
            said = said + (near * self.duals).sum(dim=(-2, -1))
        return said


def _members(examples: Tensor, wanted: Tensor) -> list[Member]:
    """For each length, the kernel with the smallest leave-one-out error.

    Left out, example i is said to be wanted_i - duals_i / inverse_ii (Rasmussen and Williams,
    Gaussian Processes for Machine Learning, MIT Press 2006, eq. 5.12).
    """
    product, distance = examples @ examples.T, _distances(examples, examples)
    found: list[Member] = []
    for length in _LENGTHS:
        near = (-distance / (2 * length**2)).exp()
        tried: list[Member] = []
        for linear in _LINEAR:
            values, vectors = torch.linalg.eigh(linear * product + near)
            values, turned = values.clamp(min=0.0), vectors.T @ wanted
            for noise in _NOISES:
                inverse = 1 / (values + noise)
                duals = vectors @ (inverse * turned)
                residuals = duals / (vectors.square() @ inverse)
                error = float(residuals.square().mean())
                tried.append(Member(length, linear, duals, wanted - residuals, error))
        found.append(min(tried, key=lambda member: member.error))
    return found


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances [..., N] of x [..., F] from y [N, F]."""
    squares = x.square().sum(dim=-1, keepdim=True) + y.square().sum(dim=-1)
    return (squares - 2 * x @ y.T).clamp(min=0.0)


def _quantile(residuals: NDArray[np.float64], level: float) -> float:
    """The conformal quantile: one more residual is at most this with a probability of `level`.

    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, Springer 2005. Where there
    are too few residuals to say (fewer than 49 for 0.98), what it were if they were normal: the
    prediction bound of Student's distribution, or the largest of them if that is more.
    """
    number = len(residuals)
    rank = math.ceil((number + 1) * level)
    if rank <= number:
        return max(float(np.sort(residuals)[rank - 1]), 0.0)
    spread = math.sqrt(float(np.mean(residuals**2)) * (1 + 1 / number))
    return max(float(residuals.max()), float(stdtrit(number - 1, level)) * spread)
