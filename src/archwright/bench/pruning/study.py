"""`archwright bench pruning`: how the study runs, and how its results are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study, show_conditions, show_table
from archwright.bench.pruning.config import PruningConfig

if TYPE_CHECKING:
    from archwright.bench.engine.results import Results


def _run(config: PruningConfig) -> "Results":
    from archwright.bench.pruning.run import bench_pruning

    return bench_pruning(config)


def _show(config: PruningConfig, results: "Results", console: Console) -> dict[str, Any]:
    from archwright.bench.pruning.measurements import parse_rows, summarise_prunings
    from archwright.bench.pruning.tables import pruning_table

    found = summarise_prunings(parse_rows(config.file, results))
    table = pruning_table(found)
    console.line(f"{config.network}, {results.hardware}; accuracies in % of test images:")
    console.line(
        "mean (deviation) over n seeds; points lost against the trained network, and behind"
    )
    console.line("the whole one trained alike; time left in onnxruntime, by images at once")
    show_table(console, table)
    return {
        **show_conditions(console, results, config.file),
        "rows": results.rows,
        "standings": [asdict(row) for row in found],
    }


STUDY = Study(config=PruningConfig, run=_run, show=_show, positional="network")
