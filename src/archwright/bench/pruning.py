"""Ways to prune a trained network beside each other, network by network, kept as they end."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from archwright.backends.optional import optional
from archwright.bench.pruning_config import UNPRUNED, Contestant, PruningConfig
from archwright.bench.pruning_latency import latencies, write_onnx
from archwright.bench.pruning_methods import Trained, cost_of
from archwright.bench.pruning_rows import PrunedRow, rows_of
from archwright.bench.results import (
    Results,
    adding_to,
    read_or,
    read_results,
    require_writable,
    write_results,
)
from archwright.bench.threads import threads
from archwright.engine.device import make_fabric
from archwright.engine.setup import load_images
from archwright.pruning.source import read_source

if TYPE_CHECKING:
    from archwright.data import ImageData

_ONNX = "network.onnx"


def bench_pruning(config: PruningConfig) -> Results:
    """Make the networks that are missing; all that the results file then holds.

    After each network the file is written anew, so that nothing is lost when this is stopped.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings; there is nothing to prune where it is said to be.
        ConfigError: a target cannot be reached (with the least that can).
        DataError, DivergedError: as `train`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _Bench(config).run()


class _Bench:
    """One bench while it runs."""

    def __init__(self, config: PruningConfig) -> None:
        self.config = config
        self.fabric = make_fabric(config.device, config.precision)
        conditions = config.conditions(self.fabric.device)
        conditions["versions"] |= _libraries(config)
        self.empty = Results(**conditions, rows=[])

    def run(self) -> Results:
        """Every network that is left, seed by seed; then those that were not timed are."""
        held, config, images = self._held(), self.config, None
        wanted = config.wanted
        number, total = 0, len(wanted) * len(config.all_seeds)
        for seed in config.all_seeds:
            trained: Trained | None = None
            for one, share in wanted:
                number += 1
                done = {row.key for row in self._rows(held)}
                if (one.method, one.fusion, share, seed) in done:
                    continue
                if trained is None:
                    images = images or self._images(seed)
                    trained = Trained(config, self.fabric, images, seed)
                    trained.require_reachable(wanted)
                row = self._row(trained, one, share)
                held = self._keep([row])
                print(f"{number}/{total} {_line(row)}", file=sys.stderr, flush=True)
        if config.latency_rounds:
            held = self._time(held)
        return held

    def _rows(self, held: Results) -> list[PrunedRow]:
        return rows_of(self.config.file, held)

    def _images(self, seed: int) -> "ImageData":
        """The images; those of the training if none are asked for."""
        run = self.config.trained
        if run is None:
            asked = self.config.pruning(self.config.runs, seed, UNPRUNED, 1)
        else:
            asked = self.config.pruning(run, seed, UNPRUNED, 1).on(read_source(run).settings)
        return load_images(asked)

    def _held(self) -> Results:
        """What the results file holds now."""
        held = read_or(self.config.file, self.empty, read_results)
        self._rows(held)  # each can be read
        return held

    def _keep(self, rows: Sequence[PrunedRow]) -> Results:
        """Add rows to what the file holds now, perhaps by another process, or replace them."""
        new = {row.key: row for row in rows}
        with adding_to(self.config.file):
            kept = {row.key: row for row in self._rows(self._held())}
            content = [row.to_json() for row in {**kept, **new}.values()]
            command = PruningConfig.command(self.empty.settings, content)
            held = replace(self.empty, command=command, rows=content)
            write_results(self.config.file, held)
        return held

    def _row(self, trained: Trained, one: Contestant, share: float) -> PrunedRow:
        before = trained.top1_before
        began = time.monotonic()
        made = trained.make(one, share)
        network = made.network
        if not made.fresh and self.config.epochs:
            stages = trained.stages(one, share, few=True)
            with trained.keeper(one, share) as keeper:
                network = stages.finetune(network, keeper, one.title, keeper.restore())
        folder = self.config.folder(trained.seed, one, share)
        write_onnx(folder / _ONNX, network)
        macs, params = cost_of(network.network)
        macs_before, params_before = cost_of(trained.source.network)
        return PrunedRow(
            method=one.method,
            fusion=one.fusion,
            seed=trained.seed,
            target=share,
            cut=made.cut,
            macs=macs,
            params=params,
            macs_before=macs_before,
            params_before=params_before,
            top1_before=before,
            top1_pruned=made.top1_pruned,
            top1=trained.stages(one, share).score(network),
            seconds=round(time.monotonic() - began, 3),
            gates=made.gates,
        )

    def _time(self, held: Results) -> Results:
        """Time the networks that were not, in turns with the unpruned one of their seed."""
        config = self.config
        for seed in config.all_seeds:
            rows = [row for row in self._rows(held) if row.seed == seed and row.latency is None]
            files = {str(number): self._file(row) for number, row in enumerate(rows)}
            whole = config.folder(seed, UNPRUNED, 1) / _ONNX
            there = {name: path for name, path in files.items() if path.is_file()}
            if not there or not whole.is_file():  # made on another machine
                continue
            print(f"timing {len(there)} networks of seed {seed}", file=sys.stderr, flush=True)
            found = latencies(
                whole,
                there,
                batches=config.batches,
                rounds=config.latency_rounds,
                threads=self.empty.threads,
            )
            timed = [replace(rows[int(name)], latency=ms) for name, ms in found.items()]
            held = self._keep(timed)
        return held

    def _file(self, row: PrunedRow) -> Path:
        """The ONNX file of a row's network."""
        one = Contestant(method=row.method, fusion=row.fusion)
        return self.config.folder(row.seed, one, row.target) / _ONNX


def _libraries(config: PruningConfig) -> dict[str, str]:
    """Versions of what networks are timed with, and of what prunes channels if it is there.

    Raises:
        ConfigError: something that is needed is not installed.
    """
    for module in ("onnx", "onnxruntime"):
        optional(module)
    if any("channels" in one.method for one in config.contestants):
        optional("torch_pruning")
    found: dict[str, str] = {}
    for package in ("onnxruntime", "torch-pruning"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _line(row: PrunedRow) -> str:
    """What a network came to, on one line."""
    title = Contestant(method=row.method, fusion=row.fusion).title
    pruned = "" if row.top1_pruned is None else f"{row.top1_pruned:.2f} % before tuning, "
    return (
        f"{title}, target {row.target:g}, seed {row.seed}: {row.macs / row.macs_before:.3f} of "
        f"the MACs, {pruned}{row.top1:.2f} % of {row.top1_before:.2f} %, {row.seconds:.0f} s"
    )
