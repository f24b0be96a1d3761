"""A training from start to end: the network in question, then those it is compared with."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.cost import graph_cost
from archwright.ir import Network
from archwright.runs.checkpoint import loading, restore_random, save_checkpoint
from archwright.runs.device import describe_hardware, make_fabric, versions
from archwright.runs.keeper import Keeper
from archwright.runs.progress import Progress
from archwright.runs.start import load_images, require_trainable, size_for, start, training_batches
from archwright.spaces import get_space, read_architecture, write_architecture
from archwright.train.config import TrainConfig
from archwright.train.entrants import Entrant, build, inherited, rival
from archwright.train.evaluate import evaluate, scoring_batches
from archwright.train.meter import Meter, require_finite
from archwright.train.trainer import Trainer
from archwright.train.weights import save_network

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class TrainedNetwork:
    """One row of the table: a network, what it costs, and the percent of test images it gets right.

    `top1` and `top5` are those after the last epoch, `best_top1` the highest on the way.
    """

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    top1: float
    top5: float
    best_top1: float


@dataclass(frozen=True)
class TrainResult:
    """The network in question first, then its rivals."""

    rows: tuple[TrainedNetwork, ...]
    seconds: float
    out: Path

    def to_json(self) -> dict[str, Any]:
        """The first row's numbers, and all rows."""
        first = asdict(self.rows[0])
        del first["name"], first["channels"]
        rows = [asdict(row) for row in self.rows]
        return {**first, "seconds": self.seconds, "out": str(self.out), "rows": rows}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TrainResult":
        """The inverse of `to_json`."""
        rows = tuple(TrainedNetwork(**row) for row in content["rows"])
        return cls(rows, content["seconds"], Path(content["out"]))


def train(config: TrainConfig) -> TrainResult:
    """Train a network, or go on with one, and leave its run folder complete.

    Raises:
        ConfigError, GenotypeError: a setting or an architecture that does not exist or fit.
        DataError: the images cannot be used.
        RunError: the run folder exists, or is of another configuration; inherited weights of
            another size.
        DivergedError: the loss is no longer finite.
    """
    architecture = read_architecture(config.architecture)
    space = get_space(architecture.origin or architecture.space)
    channels, cells = config.channels or space.train_size[0], config.cells or space.train_size[1]
    fabric = make_fabric(config.device, config.precision, config.devices)
    images = load_images(config)
    size = size_for(images, channels, cells)
    found = Entrant("found", space, architecture, size, config.inherit)
    run = _Training(config, fabric, found, images)
    resolved = {
        **{"channels": channels, "cells": cells, "space": space.origin or space.name},
        "architecture": write_architecture(architecture),
        "cutout": _cutout(config, images),
    }
    folder = start(fabric, config, "train", images, resolved)
    finished = folder.result()
    if finished is None:
        return run.run(Keeper(folder, fabric, config.checkpoint_seconds))
    return TrainResult.from_json({**finished, "out": str(config.out)})


def _cutout(config: TrainConfig, images: data.ImageData) -> int:
    if config.cutout is not None:
        return config.cutout
    streamed = data.default_augmentation(images).resized_crop
    return 0 if streamed else images.image_size // 2


class _Training:
    """The networks of one run, one after the other."""

    keeper: Keeper

    def __init__(
        self, config: TrainConfig, fabric: "Fabric", found: Entrant, images: data.ImageData
    ) -> None:
        self.config, self.fabric, self.images = config, fabric, images
        self.entrants = [found, *(rival(kind, found, config.seed) for kind in config.against)]
        self.networks = [e.trained(auxiliary=config.auxiliary > 0) for e in self.entrants]
        for entrant, network in zip(self.entrants, self.networks, strict=True):
            what = f"the {entrant.name} network"
            require_trainable(fabric, config, network, config.batch_size, what)
        if found.inherit is not None:
            inherited(found, self.networks[0])
        self.rows: list[TrainedNetwork] = []
        usual = data.default_augmentation(images)
        self.batches = training_batches(
            fabric,
            config,
            images,
            config.batch_size,
            stream="train",
            augment=replace(usual, cutout=_cutout(config, images)),
        )

    def run(self, keeper: Keeper) -> TrainResult:
        """Every network that is left."""
        self.keeper = keeper
        state = keeper.restore()
        if state:
            with loading(keeper.folder.checkpoint("last")):
                self.rows = [TrainedNetwork(**row) for row in state["rows"]]
        elif keeper.writes:
            self._log_start()
        left = list(zip(self.entrants, self.networks, strict=True))[len(self.rows) :]
        for entrant, network in left:
            self._train(entrant, network, state if state and state["trainer"] else None)
            state = None
        result = TrainResult(tuple(self.rows), keeper.tick(), keeper.folder.path)
        if keeper.writes:
            keeper.folder.log.write("result", **result.to_json())
        self.fabric.barrier()  # no process returns before the folder is complete
        return result

    def _train(self, entrant: Entrant, network: Network, state: dict[str, Any] | None) -> None:
        torch.manual_seed(self.config.seed)
        trainer = Trainer(self.fabric, build(entrant, network), self.config)
        epoch, step, best = 0, 0, -1.0
        if state:
            with loading(self.keeper.folder.checkpoint("last")):
                trainer.load_state(state["trainer"])
                epoch, step, best = state["epoch"], state["step"], state["best"]
                restore_random(state, self.fabric.device)  # building the module drew from it
        steps = len(self.batches)
        total, done = self.config.epochs * steps, epoch * steps + step
        title = f"train {entrant.name}"
        with Progress(title, total, done, visible=self.keeper.writes) as progress:
            for current in range(epoch, self.config.epochs):
                best = self._epoch(entrant, trainer, current, step, best, progress)
                step = 0
        self._finish(entrant, trainer, best)

    def _epoch(
        self,
        entrant: Entrant,
        trainer: Trainer,
        epoch: int,
        start: int,
        best: float,
        progress: Progress,
    ) -> float:
        """One epoch and its score; the best top-1 so far."""
        steps = len(self.batches)
        which = f"the images of the {entrant.name} network"
        for step, (images, labels) in enumerate(self.batches.epoch(epoch, start), start):
            trainer.step(images, labels, (epoch + step / steps) / self.config.epochs)
            self.keeper.after_step(
                step,
                steps,
                check=lambda: require_finite(epoch, {which: trainer.meter}),
                state=lambda done=step + 1: self._state(trainer, epoch, done, best),
            )
            progress.advance()
        trainer.share_statistics()
        top1 = self._log_epoch(entrant, trainer, epoch, progress)
        if top1 > best and entrant.name == "found" and self.keeper.writes:
            content = {"epoch": epoch, "top1": top1, "network": trainer.scored.state_dict()}
            save_checkpoint(self.keeper.folder.checkpoint("best"), content, self.fabric.device)
        best = max(best, top1)
        trainer.meter.reset()
        self.keeper.save(self._state(trainer, epoch + 1, 0, best))
        return best

    def _state(self, trainer: Trainer | None, epoch: int, step: int, best: float) -> dict[str, Any]:
        rows = [asdict(row) for row in self.rows]
        kept = trainer.state() if trainer else None
        return {"rows": rows, "epoch": epoch, "step": step, "best": best, "trainer": kept}

    def _log_start(self) -> None:
        self.keeper.folder.log.write(
            "start",
            kind="train",
            params=graph_cost(self.entrants[0].network).params,
            versions=versions(),
            hardware=describe_hardware(self.fabric.device),
        )

    def _log_epoch(
        self, entrant: Entrant, trainer: Trainer, epoch: int, progress: Progress
    ) -> float:
        trained, scored = trainer.meter.over_processes(), self._score(trainer)
        assert scored.top1 is not None, "a data set has test images"
        if self.keeper.writes:
            self.keeper.folder.log.write(
                "epoch",
                name=entrant.name,
                epoch=epoch,
                train_loss=trained.loss,
                train_top1=trained.top1,
                test_loss=scored.loss,
                test_top1=scored.top1,
                test_top5=scored.top5,
                lr=trainer.optimiser.param_groups[0]["lr"],
                seconds=self.keeper.tick(),
            )
        progress.note(
            f"{entrant.name}, epoch {epoch + 1}/{self.config.epochs}: train "
            f"{trained.top1:.1f} %, test {scored.top1:.1f} %"
        )
        return scored.top1

    def _score(self, trainer: Trainer) -> Meter:
        batches = scoring_batches(self.fabric, self.images)
        return evaluate(self.fabric, trainer.scored, batches.epoch(0))

    def _finish(self, entrant: Entrant, trainer: Trainer, best: float) -> None:
        scored = self._score(trainer)
        assert scored.top1 is not None, "a data set has test images"
        assert scored.top5 is not None, "and both are counted together"
        cost = graph_cost(entrant.network)
        text = write_architecture(entrant.architecture)
        top1, top5, best = (round(value, 4) for value in (scored.top1, scored.top5, best))
        self.rows.append(
            TrainedNetwork(
                entrant.name, text, entrant.size.channels, cost.params, cost.macs, top1, top5, best
            )
        )
        if entrant.name == "found" and self.keeper.writes:
            save_network(self.keeper.folder, entrant.architecture, trainer.scored)
        if len(self.rows) < len(self.entrants):  # else the last checkpoint stays a network's
            self.keeper.save(self._state(None, 0, 0, -1.0))
