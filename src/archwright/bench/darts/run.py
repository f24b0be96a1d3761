"""Searches on the DARTS space and the trainings of their architectures, kept as they end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from archwright.bench.darts.config import DartsConfig
from archwright.bench.engine.arms import Arm
from archwright.bench.engine.results import (
    Results,
    checked,
    read_or,
    read_results,
    require_writable,
)
from archwright.bench.engine.resume import measure_missing
from archwright.bench.instruments.step_memory import step_bytes
from archwright.bench.instruments.threads import threads
from archwright.engine.device import make_fabric
from archwright.engine.runs.folder import read_config
from archwright.errors import RunError
from archwright.nas.loop.search import search
from archwright.spaces import write_architecture
from archwright.training.run import train

_KINDS: dict[str, Any] = {
    **dict.fromkeys(("method", "title", "supernet", "architecture", "images"), str),
    **dict.fromkeys(("search_seconds", "train_seconds", "top1"), float),
    **{"seed": int, "saved_bytes": int | None, "params": int, "macs": int},
}
"""Fields of a row, with their types."""


def bench_darts(config: DartsConfig) -> Results:
    """Run the missing searches and trainings, and return all rows of the results file.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings.
        ConfigError, DataError, DivergedError: as `search` and `train`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _run(config)


def _run(config: DartsConfig) -> Results:
    device = make_fabric(config.device, config.precision).device
    empty = Results(**config.conditions(device), rows=[])

    def add(held: Results, row: dict[str, Any]) -> Results:
        rows = [*held.rows, row]
        return replace(empty, command=DartsConfig.command(empty.settings, rows), rows=rows)

    return measure_missing(
        config.file,
        [(arm, seed) for seed in config.all_seeds for arm in config.arms],
        read=lambda: _read(config.file, empty),
        is_done=lambda results, case: any(_same(row, *case) for row in results.rows),
        measure=lambda _, case: _row(config, *case),
        add=add,
        describe=_line,
    )


def _line(row: dict[str, Any]) -> str:
    """Describe the result of a search and its training in one line."""
    return (
        f"{row['title']} {row['supernet']}, seed {row['seed']}: {row['top1']:.2f} %, "
        f"{row['macs'] / 1e6:.0f} M MACs, searched {row['search_seconds']:.0f} s, trained "
        f"{row['train_seconds']:.0f} s"
    )


def _read(path: Path, empty: Results) -> Results:
    """Read what the results file holds now.

    Raises:
        RunError: it was measured with other settings, or elsewhere (named), or lacks something.
    """
    held = read_or(path, empty, read_results)
    for place, row in enumerate(held.rows, 1):
        try:
            checked(row, _KINDS)
        except RunError as error:
            raise RunError(f"{path}, row {place}: {error}") from None
    return held


def _same(row: dict[str, Any], one: Arm, seed: int) -> bool:
    return (row["title"], row["supernet"], row["seed"]) == (one.title("paper"), one.supernet, seed)


def _row(config: DartsConfig, one: Arm, seed: int) -> dict[str, Any]:
    searching = config.search(one, seed)
    found = search(searching)
    trained = train(config.training(one, seed))
    (network,) = trained.rows
    return {
        **{"method": one.method, "title": one.title("paper"), "supernet": one.supernet},
        **{"seed": seed, "architecture": write_architecture(found.architecture)},
        **{"search_seconds": found.seconds, "train_seconds": trained.seconds},
        **{
            "saved_bytes": step_bytes(searching),
            "images": read_config(searching.out)["data_title"],
        },
        **{"params": network.params, "macs": network.macs, "top1": network.score},
    }
