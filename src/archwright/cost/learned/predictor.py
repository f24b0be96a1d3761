"""Predictor of the cost of whole graphs, fitted to a few hundred measured ones.

It is a Gaussian process on connectivity features, with a linear and a squared-exponential part,

    k(x, x') = a x x' + exp(-|x - x'|^2 / 2 l^2),

on three sets of features: the picked candidates (some compilers run everything), counts of
candidates by their connections (others drop, fold or fuse), and all of these edge by edge. The
weights of the kernels are fitted to their leave-one-out predictions, which have a closed form: no
setting is tuned by hand, and the same residuals bound the error of a prediction.

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

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.learned.connectivity import ConnectivityFeatures, Groups
from archwright.graph import Architecture

_LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""Values of l, in units of the root mean square of the features."""
_LINEAR = (0.1, 1.0, 10.0)
"""Values of a."""
_NOISES = (1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Variances of the noise of measurements, in units of the variance of the costs."""
_RISK = 0.02
"""Probability that the measured cost is above the bound."""
_TINY = 1e-12


@dataclass(frozen=True)
class Predictor:
    """Predictor of a cost from the weights of candidates; differentiable in them.

    Attributes:
        margin: distance of a bound from the prediction, in the cost's unit.
        error: the root of the mean squared leave-one-out error, in that unit.
    """

    connectivity: ConnectivityFeatures
    mixtures: tuple["KernelMixture", ...]
    mean: float
    margin: float
    error: float

    def __call__(self, weights: Tensor) -> Tensor:
        """Return the cost [...] of weights [..., E, O]; one-hot weights are an architecture.

        It is computed on the CPU, like the fit, in double precision.
        """
        groups = self.connectivity(weights.cpu().double())
        predicted = torch.stack([mixture(groups) for mixture in self.mixtures]).sum(dim=0)
        return (self.mean + predicted).to(weights)


def fit_predictor(
    layout: DecisionTable, architectures: Sequence[Architecture], costs: Sequence[float]
) -> Predictor:
    """Fit a predictor to known costs [N]; the same architectures give the same predictor."""
    connectivity = ConnectivityFeatures(layout)
    groups = connectivity(layout.one_hots(architectures))
    values = torch.tensor(costs, dtype=torch.float64)
    mean, scale = float(values.mean()), max(float(values.std(correction=0)), _TINY)
    wanted = (values - mean) / scale
    features = [Features.of(groups, names) for names in _sets(groups)]
    fits = [
        (number, fit) for number, one in enumerate(features) for fit in _fits(one.examples, wanted)
    ]
    left_out = torch.stack([fit.left_out for _, fit in fits], dim=1)
    shares, _ = nnls(left_out.numpy(), wanted.numpy())
    shares = shares / max(float(shares.sum()), _TINY)
    residuals = (wanted - left_out @ torch.from_numpy(shares)).numpy() * scale
    mixtures = [
        KernelMixture.of(
            one, [(m, scale * s) for (at, m), s in zip(fits, shares, strict=True) if at == n]
        )
        for n, one in enumerate(features)
    ]
    error = float(np.sqrt(np.mean(residuals**2)))
    return Predictor(connectivity, tuple(mixtures), mean, _quantile(residuals, 1 - _RISK), error)


def _sets(groups: Groups) -> tuple[tuple[str, ...], ...]:
    """Return sets of groups: picked candidates; counts over all edges of a kind; all groups."""
    return ("picked",), ("sums", "joins", "heads"), tuple(groups)


@dataclass(frozen=True)
class Features:
    """Groups of features, centred at their mean, in units of their root mean square."""

    names: tuple[str, ...]
    centre: Tensor
    scale: float
    examples: Tensor

    @classmethod
    def of(cls, groups: Groups, names: tuple[str, ...]) -> "Features":
        """Return the features of measured architectures [N, F]."""
        joined = torch.cat([groups[name] for name in names], dim=-1)
        centre = joined.mean(dim=0)
        scale = max(float((joined - centre).square().sum(dim=1).mean().sqrt()), _TINY)
        return cls(names, centre, scale, (joined - centre) / scale)

    def __call__(self, groups: Groups) -> Tensor:
        """Return the same features [..., F] of other architectures."""
        return (torch.cat([groups[name] for name in self.names], dim=-1) - self.centre) / self.scale


class KernelFit(NamedTuple):
    """Fit of a kernel: its duals [N], and its leave-one-out predictions [N]."""

    length: float
    linear: float
    duals: Tensor
    left_out: Tensor
    error: float


@dataclass(frozen=True)
class KernelMixture:
    """Weighted sum of the kernels on one set of features."""

    features: Features
    slopes: Tensor
    lengths: Tensor
    duals: Tensor

    @classmethod
    def of(cls, features: Features, fits: Sequence[tuple[KernelFit, float]]) -> "KernelMixture":
        """Return the sum of fits, each times its weight."""
        slopes = sum(
            (share * m.linear * (features.examples.T @ m.duals) for m, share in fits),
            torch.zeros_like(features.centre),
        )
        positive = [(m, share) for m, share in fits if share > 0]
        lengths = torch.tensor([m.length for m, _ in positive], dtype=torch.float64)
        duals = [share * m.duals for m, share in positive]
        none = features.examples.new_zeros(0, len(features.examples))
        return cls(features, slopes, lengths, torch.stack(duals) if duals else none)

    def __call__(self, groups: Groups) -> Tensor:
        """Return the contribution [...] of these kernels to the cost."""
        x = self.features(groups)
        predicted = x @ self.slopes
        if len(self.lengths):
            distance = _distances(x, self.features.examples)[..., None, :]  # [..., 1, N]
            near = (-distance / (2 * self.lengths[:, None].square())).exp()
            predicted = predicted + (near * self.duals).sum(dim=(-2, -1))
        return predicted


def _fits(examples: Tensor, wanted: Tensor) -> list[KernelFit]:
    """Return, for each length, the kernel with the smallest leave-one-out error.

    The leave-one-out prediction of example i is wanted_i - duals_i / inverse_ii (Rasmussen and
    Williams, Gaussian Processes for Machine Learning, MIT Press 2006, eq. 5.12).
    """
    product, distance = examples @ examples.T, _distances(examples, examples)
    found: list[KernelFit] = []
    for length in _LENGTHS:
        near = (-distance / (2 * length**2)).exp()
        tried: list[KernelFit] = []
        for linear in _LINEAR:
            values, vectors = torch.linalg.eigh(linear * product + near)
            values, turned = values.clamp(min=0.0), vectors.T @ wanted
            for noise in _NOISES:
                inverse = 1 / (values + noise)
                duals = vectors @ (inverse * turned)
                residuals = duals / (vectors.square() @ inverse)
                error = float(residuals.square().mean())
                tried.append(KernelFit(length, linear, duals, wanted - residuals, error))
        found.append(min(tried, key=lambda fit: fit.error))
    return found


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Return squared distances [..., N] of x [..., F] from y [N, F]."""
    squares = x.square().sum(dim=-1, keepdim=True) + y.square().sum(dim=-1)
    return (squares - 2 * x @ y.T).clamp(min=0.0)


def _quantile(residuals: NDArray[np.float64], level: float) -> float:
    """Return the conformal quantile: a further residual is at most this with probability `level`.

    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, Springer 2005. Where there
    are too few residuals (fewer than 49 for 0.98), return the bound for normal residuals: the
    prediction bound of Student's distribution, or the largest residual if that is more.
    """
    number = len(residuals)
    rank = math.ceil((number + 1) * level)
    if rank <= number:
        return max(float(np.sort(residuals)[rank - 1]), 0.0)
    spread = math.sqrt(float(np.mean(residuals**2)) * (1 + 1 / number))
    return max(float(residuals.max()), float(stdtrit(number - 1, level)) * spread)
