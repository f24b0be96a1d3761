"""Tables as text, for a terminal and for the documentation alike."""

from dataclasses import dataclass

NOTHING = "\N{EN DASH}"
DATASET_TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}
"""The data sets of NAS-Bench-201, as people write them."""


@dataclass(frozen=True)
class Table:
    """Table: columns and rows; the first `texts` columns are texts, the others numbers."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    texts: int


def number(value: float | None, places: int = 2) -> str:
    """Format a number with `places` decimals; a dash for None."""
    return NOTHING if value is None else f"{value:,.{places}f}"


def without_empty_columns(table: Table) -> Table:
    """Return the table without the columns that are empty in every row."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place] != NOTHING for row in table.rows)
    ]
    rows = [tuple(row[place] for place in kept) for row in table.rows]
    return Table(tuple(table.columns[place] for place in kept), rows, table.texts)
