"""`archwright bench darts`: how the study runs, and how its results are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.darts.config import DartsConfig
from archwright.bench.engine.study import Console, Study, show_conditions, show_table

if TYPE_CHECKING:
    from archwright.bench.engine.results import Results


def _run(config: DartsConfig) -> "Results":
    from archwright.bench.darts.run import bench_darts

    return bench_darts(config)


def _show(config: DartsConfig, results: "Results", console: Console) -> dict[str, Any]:
    from archwright.bench.darts.tables import darts_table, summarise_darts

    rows = summarise_darts(results.rows)
    console.line(f"DARTS space, recipe {config.recipe}, {config.data}, {results.hardware}")
    table = darts_table(rows)
    show_table(console, table)
    return {
        **show_conditions(console, results, config.file),
        "searches": results.rows,
        "rows": [asdict(row) for row in rows],
    }


STUDY = Study(config=DartsConfig, run=_run, show=_show)
