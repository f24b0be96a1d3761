"""Whole networks timed beside the prediction of a profiled table."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from archwright.backends.optional import optional
from archwright.backends.timing import benchmark_interleaved
from archwright.bench.engine.results import Results, require_writable, write_results
from archwright.bench.engine.statistics import spearman
from archwright.bench.instruments.threads import threads
from archwright.bench.profile.config import ProfileBenchConfig
from archwright.cost import DecisionTable, cost_model
from archwright.cost.files import read_rows
from archwright.engine.device import describe_hardware, versions
from archwright.errors import ConfigError
from archwright.profiling.runtimes import runtime
from archwright.profiling.size import deployed_size
from archwright.spaces import get_space, write_architecture
from archwright.spaces.discretise import random_architecture


def bench_profile(config: ProfileBenchConfig) -> Results:
    """Measure the networks in the runtime of the table.

    Raises:
        ConfigError: the table is unusable, or does not say its runtime.
        RunError: the results file cannot be written.
    """
    if config.out is not None:
        require_writable(config.out)
    space = get_space(config.space)
    size = deployed_size(config, space)
    cost = cost_model("latency_ms", space, size, latency_table=config.table)
    name, device, count = _where(config.table)
    layout = DecisionTable(space, size)
    generator = np.random.default_rng(config.seed)
    drawn = [random_architecture(space, size, generator) for _ in range(config.networks)]
    with threads(count):
        run = runtime(name, device, count)
        calls = [run(space.discrete(one, layout.size)) for one in drawn]
        timings = benchmark_interleaved(calls, repeats=config.repeats)
    rows = [
        {
            "architecture": write_architecture(one),
            "measured_ms": timing.median_ms,
            "spread_ms": timing.spread_ms,
            "predicted_ms": cost.of(one),
        }
        for one, timing in zip(drawn, timings, strict=True)
    ]
    settings = {field: value for field, value in asdict(config).items() if field != "out"}
    results = Results(
        command=config.command(),
        settings={**settings, "table": config.table.name, "runtime": name, **asdict(size)},
        versions={**versions(), name: str(optional(name).__version__)},
        hardware=describe_hardware(torch.device(device)),
        threads=count,
        rows=rows,
    )
    if config.out is not None:
        write_results(config.out, results)
    return results


@dataclass(frozen=True, kw_only=True)
class TableAgreement:
    """Agreement of a table's predictions with measurements.

    Attributes:
        spearman: rank correlation.
        error: median relative error.
        factor: median of measured over predicted: the slow-down of the machine against the table.
        error_left: median relative error of the predictions times that factor.
    """

    spearman: float
    error: float
    factor: float
    error_left: float

    @classmethod
    def of(cls, results: Results) -> Self:
        """Compute the agreement of the rows of a study."""
        measured, predicted = (
            np.array([row[name] for row in results.rows])
            for name in ("measured_ms", "predicted_ms")
        )
        factor = float(np.median(measured / predicted))
        error, left = (
            float(np.median(np.abs(said / measured - 1)))
            for said in (predicted, factor * predicted)
        )
        return cls(
            spearman=spearman(predicted, measured),
            error=error,
            factor=factor,
            error_left=left,
        )


def _where(path: Path) -> tuple[str, str, int]:
    """Read runtime, device and threads of a table."""
    row = read_rows(path)[0]
    if not {"runtime", "device", "threads"} <= set(row):
        raise ConfigError(f"{path} does not say its runtime: give a table of archwright profile")
    return str(row["runtime"]), str(row["device"]), int(row["threads"])
