"""The rows that every table of searches has: what is found where nothing was learned."""

from dataclasses import replace

import pytest

from archwright.bench.engine.statistics import Spread
from archwright.bench.nasbench201.comparison import SearchSummary, summarise_searches
from archwright.bench.nasbench201.nulls import main_nulls, null_differences, nulls
from archwright.bench.nasbench201.tables import null_difference_table, searches_table

from . import sample_searches

EXPECTED = {
    # the exact means and the one cell, from the table
    "uniform draw, without none": (4096, 89.45, 63.22, 36.75),
    "uniform draw, connected": (15_284, 88.78, 62.75, 34.32),
    "six 3x3 convolutions": (1, 93.76, 71.11, 41.44),
}


@pytest.mark.parametrize("title", EXPECTED)
def test_exact_nulls_are_those_of_the_table(title: str) -> None:
    null = next(one for one in nulls() if one.title == title)
    n, *accuracies = EXPECTED[title]
    assert null.n == n
    assert [s.mean for s in null.accuracies.values()] == pytest.approx(accuracies, abs=0.005)


def test_untrained_is_the_uniform_draw_within_its_error_and_nested_is_not() -> None:
    held = {one.title: one for one in nulls()}
    drawn = held["uniform draw, without none"].accuracies["cifar10"]
    flat, nested = held["untrained"], held["untrained, nested ranking"]
    assert drawn.deviation is not None
    error = drawn.deviation / flat.n**0.5
    assert abs(flat.accuracies["cifar10"].mean - drawn.mean) < 3 * error
    assert nested.accuracies["cifar10"].mean > drawn.mean + 6 * error


def standing(*accuracies: float) -> SearchSummary:
    (row,) = summarise_searches(
        [sample_searches.search("darts all", seed) for seed in range(len(accuracies))]
    )
    spread = dict.fromkeys(row.accuracies, Spread.of(accuracies))
    return replace(row, accuracies=spread)


def test_the_interval_above_a_known_null_is_students() -> None:
    six = main_nulls()[-1]
    first = null_differences(standing(93.76, 94.36, 94.96), six)[0]
    assert first.difference == pytest.approx(0.6, abs=0.005)
    half = 4.302653 * 0.6 / 3**0.5  # t of 2 degrees of freedom
    assert (first.high - first.low) / 2 == pytest.approx(half, rel=1e-4)


def test_the_error_of_a_drawn_null_widens_the_interval() -> None:
    untrained, drawn, _ = main_nulls()
    row = standing(94.0, 94.1, 94.2)
    wide, narrow = null_differences(row, untrained)[0], null_differences(row, drawn)[0]
    assert wide.high - wide.low > narrow.high - narrow.low
    error = 4.91 / 300**0.5
    assert (wide.high - wide.low) / 2 == pytest.approx(1.97 * error, rel=0.05)


def test_one_search_has_no_interval() -> None:
    assert null_differences(standing(94.0), main_nulls()[0]) == []


def test_tables_have_the_nulls_below_the_methods() -> None:
    rows = summarise_searches([sample_searches.search("darts all", seed) for seed in range(2)])
    table = searches_table(rows, "proxy", nulls())
    assert [row[0] for row in table.rows] == ["darts", *(null.title for null in nulls())]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    beside = null_difference_table(rows, main_nulls(), "proxy")
    assert [row[2] for row in beside.rows] == ["CIFAR-10", "CIFAR-100", "ImageNet16-120"]
    assert {len(row) for row in beside.rows} == {len(beside.columns)}


def test_the_row_of_random_search_says_that_its_supernet_does_not_rank() -> None:
    rows = summarise_searches([sample_searches.search("random-ws all", 0)])
    assert searches_table(rows, "proxy").rows[0][0] == (
        "random-ws (its supernet does not rank cells)"
    )
