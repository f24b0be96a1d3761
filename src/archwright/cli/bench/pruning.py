"""`archwright bench pruning`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.pruning_config import PruningConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: PruningConfig) -> "tuple[PruningConfig, Results]":
    from archwright.bench.pruning import bench_pruning

    return config, bench_pruning(config)


def _show(done: "tuple[PruningConfig, Results]", show: Show) -> dict[str, Any]:
    from archwright.bench.pruning_pages import pruning_table
    from archwright.bench.pruning_rows import rows_of, standings

    config, results = done
    found = standings(rows_of(config.file, results))
    table = pruning_table(found)
    show.line(f"{config.network}, {results.hardware}; accuracies in % of test images:")
    show.line("mean (deviation) over n seeds; points lost against the trained network, and behind")
    show.line("the whole one trained alike; time left in onnxruntime, by images at once")
    show.table(table.columns, table.rows, texts=table.texts)
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "rows": results.rows,
        "standings": [asdict(row) for row in found],
    }


command = Command(
    name="bench pruning", config=PruningConfig, run=_run, show=_show, positional="network"
)
