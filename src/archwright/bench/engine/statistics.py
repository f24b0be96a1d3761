"""Statistics of benchmarks: spread over seeds, paired tests, rank correlations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import mean, stdev
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float] | NDArray[np.float64]

_RESAMPLES = 100_000
"""Sign flips up to which a permutation test is exact: 16 pairs."""
_EQUAL = 1e-6
"""Points within which all differences count as one; the table has four decimals at most."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (None of a single value) of some values."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Compute the spread of one value or more."""
        found = list(values)
        return cls(mean(found), stdev(found) if len(found) > 1 else None)

    def text(self, places: int = 2, *, signed: bool = False) -> str:
        """Format the mean with `places` decimals, and the deviation in brackets if there is one."""
        behind = "" if self.deviation is None else f" ({self.deviation:.{places}f})"
        return f"{self.mean:{'+' if signed else ''}.{places}f}{behind}"


def permutation_p(differences: Values) -> float:
    """Return the two-sided p-value of paired differences [n] under flips of their signs."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (np.asarray(differences, dtype=np.float64),),
        lambda values, axis: values.mean(axis=axis),
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def t_p(differences: NDArray[np.float64]) -> float | None:
    """Return the two-sided p-value of paired differences [n] under Student's t.

    None if all differences are equal.
    """
    from scipy.special import stdtr

    if np.ptp(differences) < _EQUAL:
        return None
    deviation = float(differences.std(ddof=1))
    t = float(differences.mean()) / (deviation / len(differences) ** 0.5)
    return float(2 * stdtr(len(differences) - 1, -abs(t)))


def kendall(one: Values, other: Values) -> float:
    """Return Kendall's tau-b, which counts ties in neither order; 0 if one side is constant."""
    from scipy.stats import kendalltau

    found: Any = kendalltau(one, other)
    return 0.0 if isnan(found.statistic) else float(found.statistic)


def spearman(one: Values, other: Values) -> float:
    """Return Spearman's rank correlation, ties by mean ranks; 0 if one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    found: Any = spearmanr(one, other)
    return float(found.statistic)
