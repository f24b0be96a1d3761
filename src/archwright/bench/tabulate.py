"""Tables of what benches found, as text: for a terminal and for the documentation alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.bench.comparison import PairedTest, Standing
from archwright.bench.nulls import Null, above
from archwright.bench.rankings import Agreement

NOTHING = "\N{EN DASH}"
TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}
"""The data sets of NAS-Bench-201, as people write them."""
_REMARKS = {"random-ws": " (its supernet does not rank cells)"}
"""What a reader of a method's row must know; see `bench rank`."""


@dataclass(frozen=True)
class Table:
    """Columns and rows; the first `texts` columns are texts, the others numbers."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    texts: int


def standings_table(rows: Sequence[Standing], preset: str, nulls: Sequence[Null] = ()) -> Table:
    """A row a contestant, and one for each null below them.

    A preset that is another than `preset` is named with its method.
    """
    columns = ("method", "simplified", "n", "saved MB", "peak MB", "s", "CPU s", *TITLES.values())
    made = [
        (
            row.contestant.title(preset) + _REMARKS.get(row.contestant.method, ""),
            NOTHING if row.saved_bytes is None else row.contestant.supernet,
            str(row.n),
            *(number(_mega(value), 1) for value in (row.saved_bytes, row.peak_bytes)),
            number(row.seconds, 0),
            number(row.cpu_seconds, 0),
            *(row.accuracies[name].text() for name in TITLES),
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
            *(null.accuracies[name].text() for name in TITLES),
            number(null.rank, 0),
            NOTHING,
        )
        for null in nulls
    ]
    return _without_empty(Table((*columns, "rank", "cost"), made, texts=2))


def above_table(rows: Sequence[Standing], nulls: Sequence[Null], preset: str) -> Table:
    """A row for each contestant and data set: by how many points it is above each null."""
    made: list[tuple[str, ...]] = []
    for row in rows:
        compared = [above(row, null) for null in nulls]
        for name, title in TITLES.items():
            found = [one for all_sets in compared for one in all_sets if one.dataset == name]
            cells = [f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})" for one in found]
            who = (row.contestant.title(preset), row.contestant.supernet, title)
            if cells:
                made.append((*who, str(row.n), *cells))
    columns = ("method", "simplified", "data set", "n", *(null.title for null in nulls))
    return Table(columns, made, texts=3)


def tests_table(tests: Sequence[PairedTest], preset: str) -> Table:
    """A row for each comparison of a contestant with its method unsimplified."""
    columns = ("method", "simplified", "data set", "n", "points", "p, flips", "p, t")
    made = [
        (
            test.contestant.title(preset),
            test.contestant.supernet,
            TITLES[test.dataset],
            str(test.n),
            f"{test.difference:+.2f}",
            number(test.permutation_p, 3),
            number(test.t_p, 3),
        )
        for test in tests
    ]
    return Table(columns, made, texts=3)


def agreements_table(rows: Sequence[Agreement], preset: str) -> Table:
    """A row for each way to train a supernet."""
    columns = ("method", "simplified", "n", "Kendall's tau", "Spearman's rho", "one-shot, %")
    columns = (*columns, "ranked first, %", "scoring s", "tau less unsimplified", "p, flips")
    made = [
        (
            row.contestant.title(preset),
            row.contestant.supernet,
            str(row.n),
            *(value.text(3) for value in (row.tau, row.rho)),
            number(row.one_shot, 1),
            row.chosen.text(),
            number(row.seconds, 0),
            NOTHING if row.difference is None else f"{row.difference:+.3f}",
            number(row.p, 3),
        )
        for row in rows
    ]
    return _without_empty(Table(columns, made, texts=2))


def number(value: float | None, places: int = 2) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if value is None else f"{value:,.{places}f}"


def _without_empty(table: Table) -> Table:
    """The table without the columns that say nothing of any row."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place] != NOTHING for row in table.rows)
    ]
    rows = [tuple(row[place] for place in kept) for row in table.rows]
    return Table(tuple(table.columns[place] for place in kept), rows, table.texts)


def _mega(value: int | None) -> float | None:
    return None if value is None else value / 1e6
