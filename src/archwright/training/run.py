"""Training from start to end: the network itself, then the baselines."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.cost import graph_cost
from archwright.engine.device import describe_hardware, make_fabric, versions
from archwright.engine.networks.network_file import save_graph
from archwright.engine.networks.weights import save_network
from archwright.engine.runs.checkpoint import loading
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.scoring.meter import Meter
from archwright.engine.scoring.scores import ScoredNetwork, row_to_json, rows_from_json
from archwright.engine.setup import load_images, open_run_folder, require_trainable, size_for
from archwright.graph import Network
from archwright.io.schema import read_as, result_of
from archwright.io.tensors import checksum
from archwright.spaces import named_space, read_architecture, space_of, write_architecture
from archwright.tasks import Task
from archwright.training.config import TrainConfig
from archwright.training.loop import Loop, augmented_batches, cutout_side
from archwright.training.network_spec import NetworkSpec, baseline, build, inherit
from archwright.training.trainer import Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True)
class NetworkResult(ScoredNetwork):
    """Row of the table: scores are after the last epoch, `best` the best ranking score of any."""

    best: float


@dataclass(frozen=True)
class TrainResult:
    """Networks of a training: its own first, then the baselines."""

    rows: tuple[NetworkResult, ...]
    seconds: float
    out: Path

    def to_json(self) -> dict[str, Any]:
        """Return the first row's numbers, and all rows."""
        rows = [row_to_json(row) for row in self.rows]
        skipped = ("name", "channels")
        first = {name: value for name, value in rows[0].items() if name not in skipped}
        return {**first, "seconds": self.seconds, "out": str(self.out), "rows": rows}

    @classmethod
    def from_json(cls, content: dict[str, Any], task: Task) -> "TrainResult":
        """Return the result that `to_json` wrote, of a training for that task.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where = result_of(content["out"])
        rows = rows_from_json(content, task.metrics, where, best=True)
        return read_as(cls, {**content, "rows": rows}, where)


def train(config: TrainConfig) -> TrainResult:
    """Train a network, or continue a training, and leave its run folder complete.

    Raises:
        ConfigError, GenotypeError: a setting or an architecture does not exist or does not fit.
        DataError: the images cannot be used.
        RunError: the run folder exists, or is of another configuration; the search to inherit from
            has another network.
        DivergedError: the loss is no longer finite.
    """
    named = named_space(config.space, config.architecture)
    architecture = read_architecture(config.architecture, named)
    space = space_of(architecture, named)
    channels, cells = config.channels or space.train_size[0], config.cells or space.train_size[1]
    fabric = make_fabric(config.device, config.precision, config.devices)
    images = load_images(config)
    space, size = replace(space, task=images.task), size_for(images, channels, cells)
    found = NetworkSpec("found", space, architecture, size)
    if config.inherit is not None:
        found = inherit(config.inherit, found)
    run = _Training(config, fabric, found, images)
    with open_run_folder(fabric, config, "train", images, run.resolved) as folder:
        finished = folder.result()
        if finished is None:
            return run.run(Checkpointer(folder, fabric, config.checkpoint_seconds))
    return TrainResult.from_json({**finished, "out": str(config.out)}, images.task)


class _Training:
    """Networks of one run, trained one after the other."""

    checkpointer: Checkpointer

    def __init__(
        self, config: TrainConfig, fabric: "Fabric", found: NetworkSpec, images: data.ImageData
    ) -> None:
        self.config, self.fabric, self.images = config, fabric, images
        self.specs = [found, *(baseline(kind, found, config.seed) for kind in config.against)]
        self.networks = [e.trained(auxiliary=config.auxiliary > 0) for e in self.specs]
        for spec, network in zip(self.specs, self.networks, strict=True):
            what = f"the {spec.name} network"
            require_trainable(fabric, config, network, config.batch_size, what)
        self.resolved = self._resolved(found)
        self.rows: list[NetworkResult] = []
        self.batches = augmented_batches(fabric, config, images)

    def _resolved(self, found: NetworkSpec) -> dict[str, Any]:
        """Return the recorded settings: everything that a reader of the run needs, and no paths.

        For inherited weights, a checksum replaces the path of the search.
        """
        content: dict[str, Any] = {
            **{"channels": found.size.channels, "cells": found.size.cells},
            **found.space.settings,
            "architecture": write_architecture(found.architecture),
            "cutout": cutout_side(self.config, self.images),
        }
        if found.weights is not None:
            content["inherit"] = checksum(found.weights)
        return content

    def run(self, checkpointer: Checkpointer) -> TrainResult:
        """Train every network that is left."""
        self.checkpointer = checkpointer
        state = checkpointer.restore()
        if state:
            with loading(checkpointer.folder.checkpoint("last")):
                where, metrics = "the checkpoint", self.images.task.metrics
                rows = rows_from_json(state, metrics, where, best=True)
                self.rows = [read_as(NetworkResult, row, where) for row in rows]
        elif checkpointer.writes:
            self._log_start()
        if checkpointer.writes:  # before any checkpoint, which goes with it
            found = self.specs[0]
            save_graph(checkpointer.folder, found.architecture, found.network)
        left = list(zip(self.specs, self.networks, strict=True))[len(self.rows) :]
        for spec, network in left:
            self._train(spec, network, state if state and state["trainer"] else None)
            state = None
        result = TrainResult(tuple(self.rows), checkpointer.tick(), checkpointer.folder.path)
        if checkpointer.writes:
            checkpointer.finish(result.to_json())
        self.fabric.barrier()  # no process returns before the folder is complete
        return result

    def _held(self) -> dict[str, Any]:
        return {"rows": [row_to_json(row) for row in self.rows]}

    def _train(self, spec: NetworkSpec, network: Network, state: dict[str, Any] | None) -> None:
        torch.manual_seed(self.config.seed)
        module = build(spec, network)
        trainer = Trainer(self.fabric, self.images.task, module, self.config)
        loop = Loop(
            fabric=self.fabric,
            checkpointer=self.checkpointer,
            images=self.images,
            batches=self.batches,
            extra_state=self._held,
        )
        best = loop.run(spec.name, trainer, state, keep_best=spec.name == "found")
        self._finish(spec, trainer, loop.score(trainer), best)

    def _log_start(self) -> None:
        self.checkpointer.folder.log.write(
            "start",
            kind="train",
            params=graph_cost(self.specs[0].network).params,
            versions=versions(),
            hardware=describe_hardware(self.fabric.device),
        )

    def _finish(self, spec: NetworkSpec, trainer: Trainer, scored: Meter, best: float) -> None:
        cost, published = graph_cost(spec.network), graph_cost(spec.published)
        scores = {key: round(value, 4) for key, value in scored.values().items()}
        self.rows.append(
            NetworkResult(
                name=spec.name,
                architecture=write_architecture(spec.architecture),
                channels=spec.size.channels,
                params=cost.params,
                macs=cost.macs,
                published_params=published.params,
                published_macs=published.macs,
                scores=scores,
                best=round(best, 4),
            )
        )
        if spec.name == "found" and self.checkpointer.writes:
            save_network(self.checkpointer.folder, spec.architecture, trainer.eval_network)
        if len(self.rows) < len(self.specs):  # else the last checkpoint stays a network's
            self.checkpointer.save({**self._held(), "trainer": None})
