"""The packed table of NAS-Bench-Macro, and our graph of its networks."""

import numpy as np
import pytest

from archwright.cost import graph_cost
from archwright.errors import ConfigError, GenotypeError
from archwright.spaces import Size, get_space, read_architecture
from archwright.tables import nasbench_macro as macro


def text_of(arch: str) -> str:
    blocks = (f"block{i}=|{macro.OPERATIONS[int(d)]}~0|" for i, d in enumerate(arch))
    return f"nasbench-macro:{';'.join(blocks)}"


# Read off the source table, and off the repository's own example (02012100).
@pytest.mark.parametrize(
    ("arch", "params", "macs", "percent"),
    [
        ("00000000", 387_882, 7_713_280, 45.36),
        ("00000001", 791_594, 14_115_328, 64.22),
        ("02012100", 890_666, 47_327_744, None),
        ("22212202", None, None, 93.13),
    ],
)
def test_a_network_reads_as_published(
    arch: str, params: int | None, macs: int | None, percent: float | None
) -> None:
    entry = macro.lookup(arch)
    assert (entry.arch, macro.decode(entry.index)) == (arch, arch)
    assert params in (None, entry.params)
    assert macs in (None, entry.macs)
    assert percent in (None, round(entry.cifar10_test, 2))


def test_the_best_network() -> None:
    best = macro.optimum()
    assert (best.arch, best.rank) == ("22212202", 1)
    assert best.cifar10_test == pytest.approx(np.mean(best.cifar10_test_runs))


def test_the_graph_counts_what_the_benchmark_counts() -> None:
    space, size = get_space("nasbench-macro"), Size(channels=32, cells=8)
    generator = np.random.default_rng(0)
    for code in [0, macro.SIZE - 1, *generator.integers(macro.SIZE, size=40)]:
        entry = macro.lookup(macro.decode(int(code)))
        cost = graph_cost(space.discrete(read_architecture(text_of(entry.arch)), size))
        assert (cost.params, cost.macs) == (entry.params, entry.macs), entry.arch


# Points below the best within a budget at these percentiles, means over ties, as reckoned
# independently from the source table.
@pytest.mark.parametrize(
    ("cost", "percentile", "most", "uniform"),
    [
        *(("macs", 10, 5.19, 5.15), ("macs", 20, 2.60, 4.54)),
        *(("macs", 40, 0.96, 3.73), ("macs", 60, 0.54, 3.26)),
        *(("params", 10, 3.28, 4.49), ("params", 60, 2.05, 3.28)),
    ],
)
def test_the_nulls_within_budgets(cost: str, percentile: int, most: float, uniform: float) -> None:
    count, percent = macro.counts(cost), macro.accuracy()
    within = count <= np.percentile(count, percentile)
    best = percent[within].max()
    largest = percent[within & (count == count[within].max())].mean()
    assert best - largest == pytest.approx(most, abs=0.006)
    assert best - percent[within].mean() == pytest.approx(uniform, abs=0.006)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("0201210", "has 8 digits, one a block, got 7"),
        ("02012130", "column 7 reads '3', expected 0, 1 or 2"),
        ("0201210x", "column 8 reads 'x', expected 0, 1 or 2"),
    ],
)
def test_a_text_that_is_not_an_architecture_is_refused(arch: str, message: str) -> None:
    with pytest.raises(GenotypeError, match=message):
        macro.lookup(arch)


def test_missing_entries_are_refused() -> None:
    with pytest.raises(ConfigError, match="counts params and macs, not 'latency_ms'"):
        macro.counts("latency_ms")
    with pytest.raises(GenotypeError, match="the networks 0 to 6560, there is no 6561"):
        macro.decode(macro.SIZE)
