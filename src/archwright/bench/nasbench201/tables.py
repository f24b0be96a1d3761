"""Tables of searches on NAS-Bench-201: results, comparison with nulls, paired tests."""

from collections.abc import Sequence

from archwright.bench.engine.table import (
    DATASET_TITLES,
    NOTHING,
    Table,
    number,
    without_empty_columns,
)
from archwright.bench.nasbench201.comparison import PairedTest, SearchSummary
from archwright.bench.nasbench201.nulls import Null, null_differences

_REMARKS = {"random-ws": " (its supernet does not rank cells)"}
"""Notes on the rows of methods, by method; see `bench rank`."""


def searches_table(rows: Sequence[SearchSummary], preset: str, nulls: Sequence[Null] = ()) -> Table:
    """Return a row an arm, and one for each null below them.

    A preset that is another than `preset` is named with its method.
    """
    columns = (
        "method",
        "simplified",
        "n",
        "saved MB",
        "peak MB",
        "s",
        "CPU s",
        *DATASET_TITLES.values(),
    )
    made = [
        (
            row.arm.title(preset) + _REMARKS.get(row.arm.method, ""),
            NOTHING if row.saved_bytes is None else row.arm.supernet,
            str(row.n),
            *(number(_mega(value), 1) for value in (row.saved_bytes, row.peak_bytes)),
            number(row.seconds, 0),
            number(row.cpu_seconds, 0),
            *(row.accuracies[name].text() for name in DATASET_TITLES),
            number(row.rank, 0),
            number(row.normalised_cost),
        )
        for row in rows
    ]
    made += [
        (
            null.title,
            NOTHING,
            f"all {null.n:,}" if null.exact else f"{null.n:,}",
            *[NOTHING] * 4,
            *(null.accuracies[name].text() for name in DATASET_TITLES),
            number(null.rank, 0),
            NOTHING,
        )
        for null in nulls
    ]
    return without_empty_columns(Table((*columns, "rank", "cost"), made, texts=2))


def null_difference_table(
    rows: Sequence[SearchSummary], nulls: Sequence[Null], preset: str
) -> Table:
    """Return a row for each arm and data set: by how many points it is above each null."""
    made: list[tuple[str, ...]] = []
    for row in rows:
        compared = [null_differences(row, null) for null in nulls]
        for name, title in DATASET_TITLES.items():
            found = [one for all_sets in compared for one in all_sets if one.dataset == name]
            cells = [f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})" for one in found]
            who = (row.arm.title(preset), row.arm.supernet, title)
            if cells:
                made.append((*who, str(row.n), *cells))
    columns = ("method", "simplified", "data set", "n", *(null.title for null in nulls))
    return Table(columns, made, texts=3)


def tests_table(tests: Sequence[PairedTest], preset: str) -> Table:
    """Return a row for each comparison of an arm with its method unsimplified."""
    columns = ("method", "simplified", "data set", "n", "points", "p, flips", "p, t")
    made = [
        (
            test.arm.title(preset),
            test.arm.supernet,
            DATASET_TITLES[test.dataset],
            str(test.n),
            f"{test.difference:+.2f}",
            number(test.permutation_p, 3),
            number(test.t_p, 3),
        )
        for test in tests
    ]
    return Table(columns, made, texts=3)


def _mega(value: int | None) -> float | None:
    return None if value is None else value / 1e6
