"""Tables of the documentation: memory and time of supernets."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from archwright.bench.engine.results import Results, read_results
from archwright.bench.engine.table import NOTHING, Table, number
from docs_tables.markdown import Blocks, conditions, table_text, under_picture

TITLES = {
    "darts-b16-t2": "DARTS space, 16 images, two threads",
    "darts-b64-t2": "DARTS space, the published 64 images, two threads",
    "darts-b16-t1": "DARTS space, 16 images, one thread",
    "darts-b64-t1": "DARTS space, 64 images, one thread",
    "nasbench201-b64-t2": "NAS-Bench-201 space",
    "exaggerated-b16-t2": "The exaggerated space of TopoNAS, Table VI",
}
"""The benches that have a table each, and its heading."""
_COLUMNS = (
    *("network", "saved MB", "x discrete", "x naive", "peak MB", "step ms, median (quartiles)"),
    *("x discrete, of medians", "of fastest", "ATen calls", "M MACs", "parameters", "cost"),
)


def result_path(folder: Path, name: str) -> Path:
    """Return the file of the results of a supernet."""
    return folder / f"supernet-{name}.json"


def read_all_supernets(folder: Path) -> dict[str, Results]:
    """Read the results of every supernet that has a table and was measured, by name.

    Raises:
        RunError: a file holds no results of this version.
    """
    paths = {name: result_path(folder, name) for name in TITLES}
    return {name: read_results(path) for name, path in paths.items() if path.exists()}


def read_candidates(folder: Path) -> list[Results]:
    """Read the results of the spaces with 4 to 16 candidates.

    Raises:
        RunError: a file holds no results of this version.
    """
    return [read_results(path) for path in sorted(folder.glob("supernet-candidates-*.json"))]


def supernets(folder: Path) -> str:
    """Return a table for each supernet that was measured."""
    parts = [
        f"### {TITLES[name]}\n\n{_conditions(read)}\n\n{_table(_COLUMNS, map(_row, read.rows))}"
        for name, read in read_all_supernets(folder).items()
    ]
    drawn = "Memory and time of each stage, and those of peers"
    return under_picture("supernet-cost.svg", drawn, "\n\n".join(parts))


def candidates(folder: Path) -> str:
    """Return one table over the numbers of candidates that were measured."""
    read = read_candidates(folder)
    if not read:
        return ""
    kinds = ("none/naive", "none/fused", "all/naive", "all/fused")
    columns = (
        "candidates",
        *(f"saved MB, {kind}" for kind in kinds),
        *(f"step ms, {kind}" for kind in kinds),
    )
    first = read[0].settings["candidates"]
    text = _conditions(read[0]).replace(f"toponas-{first}", "toponas-N")
    drawn = "Time and memory against the number of candidates"
    made = f"{text}\n\n{_table(columns, map(_growth, read))}"
    return under_picture("candidates.svg", drawn, made)


def step_parts(folder: Path) -> str:
    """Return the parts of the time of a step, the networks side by side."""
    path = folder / "step-parts.json"
    if not path.exists():
        return ""
    read = read_results(path)
    networks = list(dict.fromkeys(row["variant"] for row in read.rows))
    kinds = list(dict.fromkeys(row["kind"] for row in read.rows))
    held = {(row["variant"], row["kind"]): row for row in read.rows}
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        own = [held[network, kind] for network in networks]
        cells = [(f"{row['ms']:,.0f}", f"{row['calls']:,}" if row["calls"] else "") for row in own]
        rows.append((kind, *chain.from_iterable(cells)))
    sums = {
        (network, name): sum(held[network, kind][name] for kind in kinds)
        for network in networks
        for name in ("ms", "calls")
    }
    rows.append(("**all**", *(f"{value:,.0f}" for value in sums.values())))
    ratios = (f"{sums[network, 'ms'] / sums[networks[0], 'ms']:.2f}" for network in networks)
    rows.append(("x discrete", *chain.from_iterable((ratio, "") for ratio in ratios)))
    columns = chain.from_iterable((f"{network}, ms", "calls") for network in networks)
    how = (
        f"processor time of the fastest of {read.settings['repeats']} steps, channels-last; batch "
        f"{read.settings['batch_size']}; {read.settings['cpu'] or 'CPU unknown'}"
    )
    return f"{conditions(read, how)}\n\n{_table(('', *columns), rows)}"


def timed(results: Results) -> bool:
    """Return whether steps of every row were timed."""
    return all(row["times"] for row in results.rows)


def lowered(results: Results) -> dict[tuple[str | None, str | None], dict[str, Any]]:
    """Return the rows by simplification and lowering; (none, None) is that of other code."""
    return {(row["simplify"], row["lowering"]): row for row in results.rows}


def row_title(row: Mapping[str, Any]) -> str:
    """Name a row's network, a supernet of ours by its simplification and its lowering."""
    ours = row["simplify"] is not None and row["lowering"] is not None
    return f"{row['simplify']}/{row['lowering']}" if ours else str(row["variant"])


def _conditions(read: Results) -> str:
    held = read.settings
    times = min(row["times"] for row in read.rows)
    steps = f"{times} timed step{'' if times == 1 else 's'} of each row, in turns"
    how = (
        f"{steps if times else 'not timed yet'}; batch {held['batch_size']}, images "
        f"{held['image_size']}x{held['image_size']}, {held['precision']}, seed {held['seed']}; "
        f"{held['cpu'] or 'CPU unknown'}"
    )
    return f"{conditions(read, how)} The discrete network is `{held['discrete']}`."


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    peak, layout = row["peak_bytes"], row["memory_format"]
    said = [(layout or "").replace("_", " "), "recomputing" if row["recompute"] else ""]
    notes = ", ".join(filter(None, said))
    return (
        row_title(row) + (f" ({notes})" if notes else ""),
        f"{row['saved_bytes'] / 1e6:,.1f}",
        f"{row['memory_ratio']:.2f}",
        NOTHING if row["simplify"] is None else f"{row['memory_ratio_to_naive']:.2f}",
        NOTHING if peak is None else f"{peak / 1e6:,.0f}",
        _milliseconds(row),
        number(row["time_ratio"]),
        number(row["time_ratio_min"]),
        f"{row['aten_ops']:,}",
        f"{row['macs'] / 1e6:,.1f}",
        f"{row['params']:,}",
        number(row["normalised_cost"]),
    )


def _milliseconds(row: Mapping[str, Any]) -> str:
    if not row["times"]:
        return NOTHING
    low, high = (f"{seconds * 1e3:,.0f}" for seconds in row["step_quartiles_s"])
    return f"{row['step_s'] * 1e3:,.0f} ({low} to {high})"


def _growth(read: Results) -> tuple[str, ...]:
    rows = lowered(read)
    four = [rows[one, how] for one in ("none", "all") for how in ("naive", "fused")]
    return (
        str(read.settings["candidates"]),
        *(f"{row['saved_bytes'] / 1e6:,.0f}" for row in four),
        *(number(row["step_s"] and row["step_s"] * 1e3, 0) for row in four),
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return table_text(Table(columns, list(rows), texts=1))


BLOCKS: Blocks = {
    "results.md": {"supernets": supernets, "candidates": candidates},
    "lowering.md": {"parts": step_parts},
}
