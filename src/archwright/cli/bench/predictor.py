"""`archwright bench predictor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.predictor_config import PredictorConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: PredictorConfig) -> "tuple[PredictorConfig, Results]":
    from archwright.bench.predictor import bench_predictor

    return config, bench_predictor(config)


def _show(done: "tuple[PredictorConfig, Results]", show: Show) -> dict[str, Any]:
    from archwright.bench.predictor_pages import predictor_table

    config, results = done
    samples = results.settings["samples"]
    show.line(f"latencies of NAS-Bench-201 networks, learned from {samples}, means over seeds")
    table = predictor_table(results)
    show.table(table.columns, table.rows, texts=table.texts)
    if config.out is not None:
        show.line(f"results: {config.out}")
    return asdict(results)


command = Command(name="bench predictor", config=PredictorConfig, run=_run, show=_show)
