"""What parts of a search within budgets came to, as tables: files of `bench/ablations.py`."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from archwright.bench.pages import page
from archwright.bench.results import Results
from archwright.bench.spread import Spread
from archwright.bench.tabulate import TITLES, Table, number
from archwright.tables import nasbench201


def parts_table(results: Results) -> Table:
    """A row for each part that was switched: accuracies over seeds, and the processor's seconds."""
    columns = ("diffgraph", "n", *TITLES.values(), "CPU s")
    rows: list[tuple[str, ...]] = []
    for part in dict.fromkeys(row["part"] for row in results.rows):
        own = [row for row in results.rows if row["part"] == part]
        found = [nasbench201.lookup(row["architecture"]) for row in own]
        accuracies = [
            Spread.of(getattr(one, f"{name}_test") for one in found).text() for name in TITLES
        ]
        seconds = number(median(row["cpu_s"] for row in own), 0)
        rows.append((part, str(len(own)), *accuracies, seconds))
    return Table(columns, rows, texts=1)


def penalties_table(results: Results) -> Table:
    """A row for each space: what was found takes so many times the limit, by penalty."""
    names = list(dict.fromkeys(row["penalty"] for row in results.rows))
    columns = ("space", "limit, M MACs", "n", *(_titled(name) for name in names))
    rows: list[tuple[str, ...]] = []
    for space in dict.fromkeys(row["space"] for row in results.rows):
        own = [row for row in results.rows if row["space"] == space]
        by_name = [[row for row in own if row["penalty"] == name] for name in names]
        shares = [_range([row["macs"] / row["limit"] for row in rows]) for rows in by_name]
        seeds = len({row["seed"] for row in own})
        rows.append((space, f"{own[0]['limit'] / 1e6:.1f}", str(seeds), *shares))
    return Table(columns, rows, texts=1)


def parts(folder: Path) -> str:
    """What switching a part of diffgraph off or on changes."""
    return page(folder / "ablation-parts.json", parts_table)


def penalties(folder: Path) -> str:
    """Budgets beside fixed weights of a cost."""
    return page(folder / "ablation-penalties.json", penalties_table)


def _titled(penalty: str) -> str:
    return penalty if penalty == "budget" else f"weight {penalty}"


def _range(values: Sequence[float]) -> str:
    """The least and the largest of some numbers, or the only one."""
    if not values:
        return ""
    ends = dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values)))
    return " to ".join(ends)
