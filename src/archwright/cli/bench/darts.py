"""`archwright bench darts`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.darts_config import DartsConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: DartsConfig) -> "tuple[DartsConfig, Results]":
    from archwright.bench.darts import bench_darts

    return config, bench_darts(config)


def _show(done: "tuple[DartsConfig, Results]", show: Show) -> dict[str, Any]:
    from archwright.bench.darts import darts_table, standings

    config, results = done
    rows = standings(results.rows)
    show.line(f"DARTS space, recipe {config.recipe}, {config.data}, {results.hardware}")
    table = darts_table(rows)
    show.table(table.columns, table.rows, texts=table.texts)
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "searches": results.rows,
        "rows": [asdict(row) for row in rows],
    }


command = Command(name="bench darts", config=DartsConfig, run=_run, show=_show)
