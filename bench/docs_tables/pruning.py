"""Tables of the documentation: comparisons of prunings."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from archwright.bench.engine.results import Results, read_results
from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import NOTHING, Table
from archwright.bench.pruning.measurements import (
    PrunedRow,
    PruningSummary,
    parse_rows,
    summarise_prunings,
)
from archwright.bench.pruning.tables import pruning_table
from docs_tables.markdown import Blocks, conditions, table_text, under_picture

_LATENCY = (
    "Share of the unpruned network's time that is left in onnxruntime, for so many images at once, "
    "timed in turns with it: median over {rounds} rounds, mean over seeds."
)
_EQUAL = (
    "Points behind the whole network trained alike at equal latency: at so much of the unpruned "
    "network's time for so many images at once, in a straight line between targets."
)
_GATES = "Gates that decided which nodes go were between {least:.2f} and {most:.2f} when they did."
_FIGURE = "Accuracy against multiply-accumulates, by way of pruning"
_TIMES = (0.9, 0.8, 0.7)
"""Shares of the unpruned network's time at which ways are compared."""


def read_all_prunings(folder: Path) -> dict[str, tuple[Results, list[PrunedRow]]]:
    """Read every `pruning*.json` of a folder, by its name without the ending.

    Raises:
        RunError: a file holds no prunings of this version.
    """
    found = {path: read_results(path) for path in sorted(folder.glob("pruning*.json"))}
    return {path.stem: (results, parse_rows(path, results)) for path, results in found.items()}


def pruning(folder: Path) -> str:
    """Return a section for each file of results, with its figure, if it has been drawn."""
    return "\n\n".join(
        under_picture(f"{name}.svg", _FIGURE, _section(results, rows))
        for name, (results, rows) in read_all_prunings(folder).items()
    )


def equal_table(rows: Sequence[PruningSummary]) -> Table | None:
    """Return a row for each way to prune that was timed; None if none was."""
    batches = sorted({batch for row in rows for batch in row.time})
    at = [(batch, time) for batch in batches for time in _TIMES]
    found = [behind_at(rows, batch, time) for batch, time in at]
    timed = (row for row in rows if row.time and row.target < 1)
    ways = dict.fromkeys((row.method, row.fusion) for row in timed)
    columns = ("method", "stands in", *(f"at {time:g}, {batch}" for batch, time in at))
    made = [
        (
            method,
            fusion or NOTHING,
            *(
                f"{points[method, fusion]:+.2f}" if (method, fusion) in points else NOTHING
                for points in found
            ),
        )
        for method, fusion in ways
    ]
    return Table(columns, made, texts=2) if made else None


def _section(results: Results, rows: Sequence[PrunedRow]) -> str:
    found = summarise_prunings(rows)
    parts = [_conditions(results, rows), table_text(pruning_table(found))]
    rounds = {int(timed["rounds"]) for row in rows for timed in row.latency or []}
    if rounds:
        parts.append(_LATENCY.format(rounds=", ".join(map(str, sorted(rounds)))))
    equal = equal_table(found)
    if equal is not None:
        parts += [_EQUAL, table_text(equal)]
    gates = [row.gates for row in rows if row.gates is not None]
    if gates:
        least, most = min(low for low, _ in gates), max(high for _, high in gates)
        parts.append(_GATES.format(least=least, most=most))
    return "\n\n".join(parts)


def _conditions(results: Results, rows: Sequence[PrunedRow]) -> str:
    """Return how it was measured, with the command that does it again."""
    whole = {(row.macs_before, row.params_before) for row in rows}
    sizes = "; ".join(f"{macs:,} MACs, {params:,} parameters" for macs, params in sorted(whole))
    before = Spread.of([*{row.seed: row.top1_before for row in rows}.values()])
    trained = f"The trained network: {sizes}, top-1 {before.text()} %."
    return conditions(results, f"{trained} {results.settings['precision']}")


Way = tuple[str, str | None]
"""A method, and what stands in for deleted nodes."""


def behind_at(rows: Iterable[PruningSummary], batch: int, time: float) -> dict[Way, float]:
    """Return the points of each way behind the whole network trained alike, at a share of its time.

    In a straight line between the targets that were measured, and the whole network, which takes
    all of the time and is not behind; ways that do not come down to that time are left out.
    """
    ways: dict[Way, list[tuple[float, float]]] = {}
    for row in rows:
        if row.target < 1 and row.behind is not None and batch in row.time:
            point = row.time[batch].mean, row.behind.mean
            ways.setdefault((row.method, row.fusion), [(1.0, 0.0)]).append(point)
    found: dict[Way, float] = {}
    for way, points in ways.items():
        for (less, low), (more, high) in pairwise(sorted(points)):
            if less <= time <= more:
                part = (time - less) / (more - less) if more > less else 0.0
                found[way] = low + part * (high - low)
                break
    return found


BLOCKS: Blocks = {"results.md": {"pruning": pruning}}
