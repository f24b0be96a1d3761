"""Searches on the DARTS space and the training of what they found, kept as they end."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from archwright.bench.contestants import Contestant
from archwright.bench.darts_config import DartsConfig
from archwright.bench.memory import step_bytes
from archwright.bench.normalised import Least
from archwright.bench.results import (
    Results,
    adding_to,
    checked,
    read_or,
    read_results,
    require_writable,
    write_results,
)
from archwright.bench.spread import Spread
from archwright.bench.tabulate import NOTHING, Table, number
from archwright.bench.threads import threads
from archwright.engine.device import make_fabric
from archwright.engine.folder import read_config
from archwright.errors import RunError
from archwright.nas.loop.search import search
from archwright.spaces import write_architecture
from archwright.training.run import train

_KINDS: dict[str, Any] = {
    **dict.fromkeys(("method", "title", "supernet", "architecture", "images"), str),
    **dict.fromkeys(("search_seconds", "train_seconds", "top1"), float),
    **{"seed": int, "saved_bytes": int | None, "params": int, "macs": int},
}
"""What a row has."""


def bench_darts(config: DartsConfig) -> Results:
    """Run what is missing; all that the results file then holds.

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
    held = _held(config.file, empty)
    wanted = [(one, seed) for seed in config.all_seeds for one in config.contestants]
    for place, (one, seed) in enumerate(wanted, 1):
        if any(_same(row, one, seed) for row in held.rows):
            continue
        row = _row(config, one, seed)
        with adding_to(config.file):
            rows = [*_held(config.file, empty).rows, row]
            held = replace(empty, command=DartsConfig.command(empty.settings, rows), rows=rows)
            write_results(config.file, held)
        print(
            f"{place}/{len(wanted)} {row['title']} {row['supernet']}, seed {seed}: "
            f"{row['top1']:.2f} %, {row['macs'] / 1e6:.0f} M MACs, searched "
            f"{row['search_seconds']:.0f} s, trained {row['train_seconds']:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return held


def _held(path: Path, empty: Results) -> Results:
    """What the results file holds now.

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


def _same(row: dict[str, Any], one: Contestant, seed: int) -> bool:
    return (row["title"], row["supernet"], row["seed"]) == (one.title("paper"), one.supernet, seed)


def _row(config: DartsConfig, one: Contestant, seed: int) -> dict[str, Any]:
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


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A method with or without simplification, over its seeds; see `Results.rows` of the bench.

    `top1` is mean and standard deviation in percent, `normalised_cost` (see `Least`) that of the
    searches over all that train a supernet; the others are medians.
    """

    title: str
    supernet: str
    n: int
    top1: Spread
    params: float
    macs: float
    search_seconds: float
    train_seconds: float
    saved_bytes: int | None
    normalised_cost: float | None


def standings(rows: Sequence[dict[str, Any]]) -> list[Standing]:
    """A row for each method and supernet, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["title"], row["supernet"]), []).append(row)
    seconds = {key: median(r["search_seconds"] for r in own) for key, own in groups.items()}
    saved: dict[tuple[str, str], int] = {
        key: own[0]["saved_bytes"] for key, own in groups.items() if own[0]["saved_bytes"]
    }
    least = Least.of((saved[key], seconds[key]) for key in saved)
    return [
        Standing(
            title=key[0],
            supernet=key[1],
            n=len(own),
            top1=Spread.of(r["top1"] for r in own),
            params=median(r["params"] for r in own),
            macs=median(r["macs"] for r in own),
            search_seconds=seconds[key],
            train_seconds=median(r["train_seconds"] for r in own),
            saved_bytes=saved.get(key),
            normalised_cost=least.cost(saved[key], seconds[key])
            if least and key in saved
            else None,
        )
        for key, own in groups.items()
    ]


def darts_table(rows: Sequence[Standing]) -> Table:
    """Table IV: a row for each method and supernet."""
    columns = ("method", "simplified", "n", "top-1, %", "M parameters", "M MACs")
    columns = (*columns, "saved MB", "search s", "training s", "cost")
    made = [
        (
            row.title,
            NOTHING if row.saved_bytes is None else row.supernet,
            str(row.n),
            row.top1.text(),
            number(row.params / 1e6),
            number(row.macs / 1e6, 1),
            number(None if row.saved_bytes is None else row.saved_bytes / 1e6, 1),
            number(row.search_seconds, 0),
            number(row.train_seconds, 0),
            number(row.normalised_cost),
        )
        for row in rows
    ]
    return Table(columns, made, texts=2)
