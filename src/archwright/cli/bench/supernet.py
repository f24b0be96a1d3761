"""`archwright bench supernet`."""

from typing import TYPE_CHECKING, Any

from archwright.bench.supernet_config import SupernetConfig
from archwright.cli.command import Command
from archwright.cli.console import Show, count, decimals

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: SupernetConfig) -> "tuple[SupernetConfig, Results]":
    from archwright.bench.supernet import bench_supernet

    return config, bench_supernet(config)


def _show(done: "tuple[SupernetConfig, Results]", show: Show) -> list[dict[str, Any]]:
    config, results = done
    held = results.settings
    side, times = held["image_size"], min(row["times"] for row in results.rows)
    show.line(
        f"{config.space}: channels {held['channels']}, cells {held['cells']}, batch "
        f"{held['batch_size']}, images {side}x{side}, {held['precision']}, {results.hardware}"
    )
    show.line(f"steps timed in turns, {times} of each; x: times the discrete network's")
    show.table(
        (
            *("network", "saved MB", "x", "peak MB", "step ms", "fastest ms", "x"),
            *("aten ops", "M MACs", "parameters", "normalised cost"),
        ),
        [_row(row) for row in results.rows],
    )
    if config.out is not None:
        show.line(f"results: {config.out}")
    return results.rows


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    peak, layout = row["peak_bytes"], row["memory_format"]
    return (
        row["variant"] + ("" if layout is None else f", {layout.replace('_', ' ')}"),
        decimals(row["saved_bytes"] / 1e6, 1),
        decimals(row["memory_ratio"]),
        decimals(None if peak is None else peak / 1e6, 1),
        *(decimals(s and s * 1e3, 1) for s in (row["step_s"], row["step_min_s"])),
        decimals(row["time_ratio"]),
        count(row["aten_ops"]),
        decimals(row["macs"] / 1e6, 1),
        count(row["params"]),
        decimals(row["normalised_cost"]),
    )


command = Command(name="bench supernet", config=SupernetConfig, run=_run, show=_show)
