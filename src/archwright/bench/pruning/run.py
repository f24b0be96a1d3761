"""Pruning methods on a trained network, compared network by network, kept as they end."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from archwright.backends.optional import optional
from archwright.bench.engine.results import Results, read_or, read_results, require_writable
from archwright.bench.engine.resume import append, measure_missing
from archwright.bench.instruments.threads import threads
from archwright.bench.pruning.config import UNPRUNED, PruningArm, PruningConfig
from archwright.bench.pruning.latency import latencies, write_onnx
from archwright.bench.pruning.measurements import PrunedRow, parse_rows
from archwright.bench.pruning.methods import NetworkFactory, cost_of
from archwright.engine.device import make_fabric
from archwright.engine.setup import load_images
from archwright.pruning.prunable import load_prunable

if TYPE_CHECKING:
    from archwright.data import ImageData

_ONNX = "network.onnx"


def bench_pruning(config: PruningConfig) -> Results:
    """Make the missing networks, and return all rows of the results file.

    After each network the file is written again, so that an interruption loses nothing.

    Raises:
        RunError: the results file cannot be written; it, or a run folder, is of another version or
            of other settings; there is nothing to prune where it is said to be.
        ConfigError: a target cannot be reached (with the least that can).
        DataError, DivergedError: as `train`.
    """
    require_writable(config.file)
    with threads(config.threads):
        return _PruningRun(config).run()


class _PruningRun:
    """Study while it runs."""

    def __init__(self, config: PruningConfig) -> None:
        self.config = config
        self.fabric = make_fabric(config.device, config.precision)
        conditions = config.conditions(self.fabric.device)
        conditions["versions"] |= _libraries(config)
        self.empty = Results(**conditions, rows=[])
        self._images: ImageData | None = None
        self._factory: NetworkFactory | None = None

    def run(self) -> Results:
        """Make every network that is left, seed by seed; then time those without a latency."""
        config = self.config
        results = measure_missing(
            config.file,
            [(seed, arm, share) for seed in config.all_seeds for arm, share in config.wanted],
            read=self._read,
            is_done=self._is_done,
            measure=lambda _, case: self._row(*case),
            add=lambda held, row: self._add(held, [row]),
            describe=_line,
        )
        return self._time(results) if config.latency_rounds else results

    def _is_done(self, results: Results, case: tuple[int, PruningArm, float]) -> bool:
        seed, arm, share = case
        done = {row.key for row in self._rows(results)}
        return (arm.method, arm.fusion, share, seed) in done

    def _factory_of(self, seed: int) -> NetworkFactory:
        if self._factory is None or self._factory.seed != seed:
            self._images = self._images or self._load_images(seed)
            self._factory = NetworkFactory(self.config, self.fabric, self._images, seed)
            self._factory.require_reachable(self.config.wanted)
        return self._factory

    def _rows(self, held: Results) -> list[PrunedRow]:
        return parse_rows(self.config.file, held)

    def _load_images(self, seed: int) -> "ImageData":
        """Return the images; those of the training if none are asked for."""
        run = self.config.trained
        if run is None:
            asked = self.config.pruning(self.config.runs, seed, UNPRUNED, 1)
        else:
            asked = self.config.pruning(run, seed, UNPRUNED, 1).on(load_prunable(run).settings)
        return load_images(asked)

    def _read(self) -> Results:
        held = read_or(self.config.file, self.empty, read_results)
        self._rows(held)  # each can be read
        return held

    def _add(self, held: Results, rows: Sequence[PrunedRow]) -> Results:
        """Add rows, or replace them."""
        kept = {row.key: row for row in [*self._rows(held), *rows]}
        content = [row.to_json() for row in kept.values()]
        command = PruningConfig.command(self.empty.settings, content)
        return replace(self.empty, command=command, rows=content)

    def _row(self, seed: int, one: PruningArm, share: float) -> PrunedRow:
        factory = self._factory_of(seed)
        before = factory.top1_before
        began = time.monotonic()
        made = factory.make(one, share)
        network = made.network
        if not made.fresh and self.config.epochs:
            stages = factory.stages(one, share, few=True)
            with factory.checkpointer(one, share) as checkpointer:
                network = stages.finetune(network, checkpointer, one.title, checkpointer.restore())
        folder = self.config.folder(factory.seed, one, share)
        write_onnx(folder / _ONNX, network)
        macs, params = cost_of(network.network)
        macs_before, params_before = cost_of(factory.source.network)
        return PrunedRow(
            method=one.method,
            fusion=one.fusion,
            seed=factory.seed,
            target=share,
            cut=made.cut,
            macs=macs,
            params=params,
            macs_before=macs_before,
            params_before=params_before,
            top1_before=before,
            top1_pruned=made.top1_pruned,
            top1=factory.stages(one, share).score(network),
            seconds=round(time.monotonic() - began, 3),
            gates=made.gates,
        )

    def _time(self, held: Results) -> Results:
        """Time the networks without a latency, in turns with the unpruned one of their seed."""
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
            held = append(config.file, timed, read=self._read, add=self._add)
        return held

    def _file(self, row: PrunedRow) -> Path:
        """Return the ONNX file of a row's network."""
        one = PruningArm(method=row.method, fusion=row.fusion)
        return self.config.folder(row.seed, one, row.target) / _ONNX


def _libraries(config: PruningConfig) -> dict[str, str]:
    """Return the versions of the libraries that time networks and prune channels, if installed.

    Raises:
        ConfigError: something that is needed is not installed.
    """
    for module in ("onnx", "onnxruntime"):
        optional(module)
    if any("channels" in one.method for one in config.arms):
        optional("torch_pruning")
    found: dict[str, str] = {}
    for package in ("onnxruntime", "torch-pruning"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _line(row: PrunedRow) -> str:
    """Describe the result of a network in one line."""
    title = PruningArm(method=row.method, fusion=row.fusion).title
    pruned = "" if row.top1_pruned is None else f"{row.top1_pruned:.2f} % before tuning, "
    return (
        f"{title}, target {row.target:g}, seed {row.seed}: {row.macs / row.macs_before:.3f} of "
        f"the MACs, {pruned}{row.top1:.2f} % of {row.top1_before:.2f} %, {row.seconds:.0f} s"
    )
