"""Table of a comparison of prunings."""

from collections.abc import Sequence

from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import NOTHING, Table
from archwright.bench.pruning.config import WHOLE
from archwright.bench.pruning.measurements import PruningSummary


def pruning_table(rows: Sequence[PruningSummary]) -> Table:
    """Return a row for each pruning method and target."""
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


def _spread(value: Spread | None, *, signed: bool = False) -> str:
    return NOTHING if value is None else value.text(signed=signed)
