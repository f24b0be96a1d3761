"""`archwright bench predictor`: how the study runs, and how its results are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study, show_table
from archwright.bench.predictor.config import PredictorConfig

if TYPE_CHECKING:
    from archwright.bench.engine.results import Results


def _run(config: PredictorConfig) -> "Results":
    from archwright.bench.predictor.run import bench_predictor

    return bench_predictor(config)


def _show(config: PredictorConfig, results: "Results", console: Console) -> dict[str, Any]:
    from archwright.bench.predictor.tables import predictor_table

    samples = results.settings["samples"]
    console.line(f"latencies of NAS-Bench-201 networks, learned from {samples}, means over seeds")
    show_table(console, predictor_table(results))
    if config.out is not None:
        console.line(f"results: {config.out}")
    return asdict(results)


STUDY = Study(config=PredictorConfig, run=_run, show=_show)
