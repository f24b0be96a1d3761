"""Summaries of searches and paired tests, against numbers by hand."""

from statistics import mean, stdev
from typing import Any

import pytest

from archwright.bench.nasbench201.comparison import paired_tests, summarise_searches
from archwright.tables import nasbench201

from .sample_searches import CONV1, CONV3, SKIP, search


def test_a_row_by_hand() -> None:
    found = [
        search("darts all", 0, CONV3, seconds=10.0, cpu_seconds=None),
        search("gdas all", 0, CONV1),
        search("darts all", 1, CONV1, seconds=30.0, cpu_seconds=5.0),
        search("darts all", 2, SKIP, seconds=11.0, cpu_seconds=7.0),
    ]
    row, other = summarise_searches(found)
    assert (row.arm, row.n, other.n) == (found[0].arm, 3, 1)
    entries = [nasbench201.lookup(text) for text in (CONV3, CONV1, SKIP)]
    for name in ("cifar10", "cifar100", "imagenet16"):
        values = [getattr(entry, f"{name}_test") for entry in entries]
        assert row.accuracies[name].mean == pytest.approx(mean(values))
        assert row.accuracies[name].deviation == pytest.approx(stdev(values))
        assert other.accuracies[name].deviation is None
    assert row.rank == sorted(entry.rank for entry in entries)[1]
    assert (row.seconds, row.cpu_seconds, row.peak_bytes) == (11.0, 6.0, None)


@pytest.mark.parametrize("peak", [None, 7])
def test_costs_by_hand(peak: int | None) -> None:
    """By the processor's time on a CPU, whatever the clock on the wall says; by that on a GPU."""

    def taking(time: float) -> dict[str, Any]:
        wall, cpu = (100.0, time) if peak is None else (time, 100.0)
        return {"seconds": wall, "cpu_seconds": cpu, "peak_bytes": peak}

    costs = {
        row.arm.method: row.normalised_cost
        for row in summarise_searches(
            [
                search("darts all", 0, saved_bytes=400, **taking(30.0)),
                search("gdas all", 0, saved_bytes=100, **taking(60.0)),
                search("random-ws all", 0, saved_bytes=50, **taking(15.0)),
                search("random none", 0, **taking(0.1)),
            ]
        )
    }
    # the least of those that learn alpha: 100 bytes, 30 seconds
    assert costs == {"darts": 2.5, "gdas": 1.5, "random-ws": 0.5, "random": None}


def test_baselines_alone_are_compared_with_each_other() -> None:
    both = [
        search("random-ws none", 0, saved_bytes=200),
        search("random-ws all", 0, saved_bytes=100),
    ]
    assert [row.normalised_cost for row in summarise_searches(both)] == [1.5, 1.0]
    assert [row.normalised_cost for row in summarise_searches([search("random none", 0)])] == [None]


def test_pairs_are_those_of_the_same_seed_and_method() -> None:
    found = [
        *(search("darts none", seed, CONV1) for seed in (0, 1, 2)),
        *(search("darts all", seed, CONV3) for seed in (1, 2, 3)),
        *(search("darts none/fused", seed, CONV1) for seed in (0, 1)),
        search("gdas none", 0),
        search("gdas all", 0),  # a single pair says nothing
        *(search("random none", seed) for seed in (0, 1)),
    ]
    tests = paired_tests(found)
    assert [(t.arm.supernet, t.dataset, t.n) for t in tests] == [
        *(("all", name, 2) for name in nasbench201.DATASETS),
        *(("none/fused", name, 2) for name in nasbench201.DATASETS),
    ]
    better = nasbench201.lookup(CONV3).cifar10_test - nasbench201.lookup(CONV1).cifar10_test
    assert tests[0].difference == pytest.approx(better)
    assert (tests[0].permutation_p, tests[0].t_p) == (0.5, None)
    assert (tests[3].difference, tests[3].permutation_p, tests[3].t_p) == (0, 1, None)
