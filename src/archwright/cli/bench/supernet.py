"""`archwright bench supernet`."""

from typing import TYPE_CHECKING, Any

from archwright.bench.supernet_config import SupernetConfig
from archwright.cli.command import Command
from archwright.cli.show import Show, count, decimals

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: SupernetConfig) -> "tuple[SupernetConfig, Results]":
    from archwright.bench.supernet import bench_supernet

    return config, bench_supernet(config)


def _show(done: "tuple[SupernetConfig, Results]", show: Show) -> list[dict[str, Any]]:
    config, results = done
    held = results.settings
    side, repeats = held["image_size"], held["repeats"]
    show.line(
        f"{config.space}: channels {held['channels']}, cells {held['cells']}, batch "
        f"{held['batch_size']}, images {side}x{side}, {held['precision']}, {results.hardware}"
    )
    show.line(f"steps timed in turns, {repeats} of each; x: times the discrete network's")
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
    peak = row["peak_bytes"]
    return (
        f"{row['variant']}, {row['memory_format'].replace('_', ' ')}",
        decimals(row["saved_bytes"] / 1e6, 1),
        decimals(row["memory_ratio"]),
        decimals(None if peak is None else peak / 1e6, 1),
        decimals(row["step_s"] * 1e3, 1),
        decimals(row["step_min_s"] * 1e3, 1),
        decimals(row["time_ratio"]),
        count(row["aten_ops"]),
        decimals(row["macs"] / 1e6, 1),
        count(row["params"]),
        decimals(row["normalised_cost"]),
    )


command = Command(name="bench supernet", config=SupernetConfig, run=_run, show=_show)
