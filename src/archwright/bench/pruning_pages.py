"""What is said of a comparison of prunings: a table, for a terminal and for the documentation."""

from collections.abc import Callable, Sequence
from pathlib import Path

from archwright.bench.markdown import conditions, table_text
from archwright.bench.pruning_config import WHOLE
from archwright.bench.pruning_rows import PrunedRow, Standing, behind_at, rows_of, standings
from archwright.bench.results import Results, read_results
from archwright.bench.spread import Spread
from archwright.bench.tabulate import NOTHING, Table

_LATENCY = (
    "Share of the unpruned network's time that is left in onnxruntime, for so many images at once, "
    "timed in turns with it: median over {rounds} rounds, mean over seeds."
)
_EQUAL = (
    "Points behind the whole network trained alike at equal latency: at so much of the unpruned "
    "network's time for so many images at once, in a straight line between targets."
)
_GATES = "Gates that decided which nodes go were between {least:.2f} and {most:.2f} when they did."
_TIMES = (0.9, 0.8, 0.7)
"""Shares of the unpruned network's time at which ways are compared."""


def read_all(folder: Path) -> dict[str, tuple[Results, list[PrunedRow]]]:
    """Every `pruning*.json` of a folder, by its name without the ending.

    Raises:
        RunError: a file holds no prunings of this version.
    """
    found = {path: read_results(path) for path in sorted(folder.glob("pruning*.json"))}
    return {path.stem: (results, rows_of(path, results)) for path, results in found.items()}


def pruning(folder: Path, picture: Callable[[str], list[str]] = lambda name: []) -> str:
    """A section for each file of results; `picture` shows the figure of that name, if any."""
    return "\n\n".join(
        "\n\n".join([*picture(name), _section(results, rows)])
        for name, (results, rows) in read_all(folder).items()
    )


def pruning_table(rows: Sequence[Standing]) -> Table:
    """A row for each way to prune and target."""
    batches = sorted({batch for row in rows for batch in row.time})
    timed = tuple(f"time left, {batch}" for batch in batches)
    columns = (
        *("method", "stands in", "target", "n", "MACs left", "parameters left"),
        *("top-1 before tuning", "top-1", "points lost", "behind whole", *timed),
    )
    made = [
        (
            row.method,
            row.fusion or NOTHING,
            NOTHING if row.method == WHOLE else f"{row.target:g}",
            str(row.n),
            f"{row.macs:.3f}",
            f"{row.params:.3f}",
            _spread(row.top1_pruned),
            _spread(row.top1),
            _spread(row.drop, signed=True),
            _spread(None if row.method == WHOLE else row.behind, signed=True),
            *(f"{row.time[batch].mean:.2f}" if batch in row.time else NOTHING for batch in batches),
        )
        for row in rows
    ]
    return Table(columns, made, texts=2)


def equal_table(rows: Sequence[Standing]) -> Table | None:
    """A row for each way to prune that was timed; None if none was."""
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
    found = standings(rows)
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
    """How it was measured, with the command that does it again."""
    whole = {(row.macs_before, row.params_before) for row in rows}
    sizes = "; ".join(f"{macs:,} MACs, {params:,} parameters" for macs, params in sorted(whole))
    before = Spread.of([*{row.seed: row.top1_before for row in rows}.values()])
    trained = f"The trained network: {sizes}, top-1 {before.text()} %."
    return conditions(results, f"{trained} {results.settings['precision']}")


def _spread(value: Spread | None, *, signed: bool = False) -> str:
    return NOTHING if value is None else value.text(signed=signed)
