"""Means and deviations over seeds, and how they are written."""

import pytest

from archwright.bench.engine.statistics import Spread


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
