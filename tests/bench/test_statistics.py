"""Spread over seeds, tests of paired differences, and rank correlations, by hand."""

from itertools import combinations, product
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.bench.engine.statistics import Spread, kendall, permutation_p, spearman, t_p


def test_the_deviation_is_that_of_a_sample() -> None:
    spread = Spread.of(value for value in (1.0, 2.0, 4.0))
    assert spread.mean == pytest.approx(7 / 3)
    assert spread.deviation == pytest.approx((7 / 3) ** 0.5)


def test_a_single_value_has_none() -> None:
    assert Spread.of([3]) == Spread(3, None)


def test_the_deviation_stands_in_brackets() -> None:
    assert Spread(1.25, 0.5).text() == "1.25 (0.50)"
    assert Spread(1.25, None).text(1, signed=True) == "+1.2"
    assert Spread(-1.25, 0.0625).text(3, signed=True) == "-1.250 (0.062)"


def flipped(differences: list[float]) -> float:
    """The p-value by counting all sign flips."""
    seen = abs(mean(differences)) - 1e-9
    flips = [
        abs(mean(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    return sum(value >= seen for value in flips) / len(flips)


@given(st.lists(st.integers(-500, 500).map(lambda n: n / 100), min_size=2, max_size=8))
def test_the_permutation_test_counts_all_flips(differences: list[float]) -> None:
    assert permutation_p(np.array(differences)) == pytest.approx(flipped(differences))


def test_five_seeds_reach_a_sixteenth_at_best() -> None:
    assert permutation_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 32


def test_the_paired_t_by_hand() -> None:
    # Student's own sleep data (Biometrika, 1908): t = 4.0621 with 9 degrees of freedom
    extra = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert t_p(np.array(extra)) == pytest.approx(0.002833, abs=1e-6)
    assert t_p(-np.array(extra)) == t_p(np.array(extra))
    assert t_p(np.array([0.1 + 0.2, 0.3])) is None


def test_kendall_counts_pairs() -> None:
    one, other = [1.0, 2.0, 3.0, 4.0, 4.0], [2.0, 1.0, 3.0, 3.0, 5.0]
    pairs = [
        ((a > b) - (a < b)) * ((c > d) - (c < d))
        for (a, c), (b, d) in combinations(list(zip(one, other, strict=True)), 2)
    ]
    untied = [sum(a != b for a, b in combinations(values, 2)) for values in (one, other)]
    assert kendall(one, other) == pytest.approx(sum(pairs) / (untied[0] * untied[1]) ** 0.5)
    assert kendall(one, one) == pytest.approx(1)
    assert kendall(one, [1.0] * 5) == 0


def test_spearman_is_of_ranks() -> None:
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)  # 1 - 6 * 2 / (3 * 8)
    assert spearman([1, 1, 2, 3], [1, 1, 2, 3]) == pytest.approx(1)
    assert spearman([1, 2, 3], [5, 5, 5]) == 0
