"""`archwright bench supernet`: how the study runs, and how its results are shown."""

from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study
from archwright.bench.engine.table import number
from archwright.bench.supernet.config import SupernetConfig

if TYPE_CHECKING:
    from archwright.bench.engine.results import Results


def _run(config: SupernetConfig) -> "Results":
    from archwright.bench.supernet.run import bench_supernet

    return bench_supernet(config)


def _show(config: SupernetConfig, results: "Results", console: Console) -> list[dict[str, Any]]:
    held = results.settings
    side, times = held["image_size"], min(row["times"] for row in results.rows)
    console.line(
        f"{config.space}: channels {held['channels']}, cells {held['cells']}, batch "
        f"{held['batch_size']}, images {side}x{side}, {held['precision']}, {results.hardware}"
    )
    console.line(f"steps timed in turns, {times} of each; x: times the discrete network's")
    console.table(
        (
            *("network", "saved MB", "x", "peak MB", "step ms", "fastest ms", "x"),
            *("aten ops", "M MACs", "parameters", "normalised cost"),
        ),
        [_row(row) for row in results.rows],
    )
    if config.out is not None:
        console.line(f"results: {config.out}")
    return results.rows


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    peak, layout = row["peak_bytes"], row["memory_format"]
    return (
        row["variant"] + ("" if layout is None else f", {layout.replace('_', ' ')}"),
        number(row["saved_bytes"] / 1e6, 1),
        number(row["memory_ratio"]),
        number(None if peak is None else peak / 1e6, 1),
        *(number(s and s * 1e3, 1) for s in (row["step_s"], row["step_min_s"])),
        number(row["time_ratio"]),
        f"{row['aten_ops']:,}",
        number(row["macs"] / 1e6, 1),
        f"{row['params']:,}",
        number(row["normalised_cost"]),
    )


STUDY = Study(config=SupernetConfig, run=_run, show=_show)
