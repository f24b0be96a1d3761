"""Tables of the documentation: ablations, from the files of `bench/ablations.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median

import numpy as np

from archwright.bench.engine.results import Results, read_results
from archwright.bench.engine.statistics import Spread, permutation_p
from archwright.bench.engine.table import DATASET_TITLES, NOTHING, Table, number
from archwright.bench.nasbench201.searches import Search
from archwright.tables import nasbench201
from docs_tables.markdown import Blocks, page
from docs_tables.nasbench201 import read_all_searches


def parts_table(results: Results, plain: Sequence[Search] = ()) -> Table:
    """Return a row for each part that was changed, beside the searches by the preset (`plain`).

    Means over seeds, processor seconds, and seed by seed what the change makes of CIFAR-10's
    accuracy: the mean difference in points, and the probability of one as large under all flips of
    the signs.
    """
    columns = ("diffgraph", "n", *DATASET_TITLES.values(), "CPU s", "points", "p, flips")
    found = {search.seed: search.architecture for search in plain}
    rows: list[tuple[str, ...]] = []
    if plain:
        seconds = [s.cpu_seconds for s in plain if s.cpu_seconds is not None]
        rows.append((*_part("as frozen", found, seconds), NOTHING, NOTHING))
    for part in dict.fromkeys(row["part"] for row in results.rows):
        own = [row for row in results.rows if row["part"] == part]
        changed = {row["seed"]: row["architecture"] for row in own}
        both = [
            _cifar10(changed[seed]) - _cifar10(found[seed]) for seed in changed if seed in found
        ]
        points, p = NOTHING, NOTHING
        if len(both) > 1:
            points = f"{mean(both):+.2f}"
            p = number(permutation_p(np.array(both)), 3)
        rows.append((*_part(part, changed, [row["cpu_s"] for row in own]), points, p))
    return Table(columns, rows, texts=1)


def _part(title: str, found: Mapping[int, str], seconds: Sequence[float]) -> tuple[str, ...]:
    entries = [nasbench201.lookup(architecture) for architecture in found.values()]
    accuracies = [
        Spread.of(getattr(e, f"{name}_test") for e in entries).text() for name in DATASET_TITLES
    ]
    return title, str(len(found)), *accuracies, number(median(seconds) if seconds else None, 0)


def _cifar10(architecture: str) -> float:
    return nasbench201.lookup(architecture).cifar10_test


def penalties_table(results: Results) -> Table:
    """Return a row for each space: the multiple of the limit that was found, by penalty."""
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
    """Compare each changed part of diffgraph with the preset as it is, on the same seeds."""
    path = folder / "ablation-parts.json"
    if not path.exists():
        return ""
    seeds = {row["seed"] for row in read_results(path).rows}
    plain = [
        search
        for results in read_all_searches(folder)
        if results.settings["supernets"] == 1 and results.settings["preset"] == "proxy"
        for search in results.searches
        if (search.arm.method, search.arm.supernet) == ("diffgraph", "all") and search.seed in seeds
    ]
    return page(path, lambda results: parts_table(results, plain))


def penalties(folder: Path) -> str:
    """Compare budgets with fixed weights of a cost."""
    return page(folder / "ablation-penalties.json", penalties_table)


def _titled(penalty: str) -> str:
    return penalty if penalty == "budget" else f"weight {penalty}"


def _range(values: Sequence[float]) -> str:
    """Format the least and the largest of some numbers, or the only one."""
    if not values:
        return ""
    ends = dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values)))
    return " to ".join(ends)


BLOCKS: Blocks = {"diffgraph.md": {"parts": parts, "penalties": penalties}}
