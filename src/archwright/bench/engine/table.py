"""Tables of what benches found, as text: for a terminal and for the documentation alike."""

from dataclasses import dataclass

NOTHING = "\N{EN DASH}"
DATASET_TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}
"""The data sets of NAS-Bench-201, as people write them."""


@dataclass(frozen=True)
class Table:
    """Columns and rows; the first `texts` columns are texts, the others numbers."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    texts: int


def number(value: float | None, places: int = 2) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if value is None else f"{value:,.{places}f}"


def without_empty_columns(table: Table) -> Table:
    """The table without the columns that say nothing of any row."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place] != NOTHING for row in table.rows)
    ]
    rows = [tuple(row[place] for place in kept) for row in table.rows]
    return Table(tuple(table.columns[place] for place in kept), rows, table.texts)
