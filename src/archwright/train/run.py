"""A training from start to end: the network in question, then those it is compared with."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save as pack

from archwright import data
from archwright.cost import estimate_training_bytes, graph_cost
from archwright.files import write_bytes, write_json
from archwright.runs.checkpoint import save_checkpoint
from archwright.runs.device import describe_hardware, make_fabric, require_memory, versions
from archwright.runs.folder import RunFolder, open_run
from archwright.runs.keeper import Keeper
from archwright.runs.progress import Progress
from archwright.spaces import Size, get_space, read_architecture, write_architecture
from archwright.train.config import TrainConfig
from archwright.train.entrants import Entrant, build, rival
from archwright.train.evaluate import evaluate, test_batches
from archwright.train.trainer import Trainer

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
    images = data.load(
        config.data,
        root=config.data_root,
        image_size=config.image_size,
        limit=config.limit,
        test_limit=config.test_limit,
    )
    size = Size(
        channels=channels,
        cells=cells,
        classes=len(images.classes),
        image_size=images.image_size,
        image_channels=images.channels,
    )
    found = Entrant("found", space, architecture, size)
    need = estimate_training_bytes(found.network, -(-config.batch_size // fabric.world_size))
    require_memory(need, fabric.device, "this network")
    settings = {
        **config.settings(),
        **{"channels": channels, "cells": cells, "space": space.name},
        "architecture": write_architecture(architecture),
        "data_fingerprint": images.fingerprint,
        "cutout": _cutout(config, images),
    }
    run = _Training(config, fabric, found, images)
    if fabric.is_global_zero:
        open_run(config.out, "train", settings, resume=config.resume)
    fabric.barrier()
    finished = run.folder.result()
    return run.run() if finished is None else TrainResult.from_json(finished)


def _cutout(config: TrainConfig, images: data.ImageData) -> int:
    if config.cutout is not None:
        return config.cutout
    streamed = data.default_augmentation(images).resized_crop
    return 0 if streamed else images.image_size // 2


class _Training:
    """The networks of one run, one after the other."""

    def __init__(
        self, config: TrainConfig, fabric: "Fabric", found: Entrant, images: data.ImageData
    ) -> None:
        self.config, self.fabric, self.images = config, fabric, images
        self.entrants = [found, *(rival(kind, found, config.seed) for kind in config.against)]
        self.folder = RunFolder(config.out)
        self.keeper = Keeper(self.folder, fabric, config.checkpoint_seconds)
        self.rows: list[TrainedNetwork] = []
        self.batches = data.Batches(
            images.train,
            config.batch_size,
            seed=config.seed,
            stream="train",
            mean=images.mean,
            std=images.std,
            augment=self._augmentation(),
            shuffle=True,
            drop_last=True,
            device=fabric.device,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            workers=config.workers,
        )

    def _augmentation(self) -> data.Augmentation:
        usual = data.default_augmentation(self.images)
        return data.Augmentation(**{**asdict(usual), "cutout": _cutout(self.config, self.images)})

    def run(self) -> TrainResult:
        """Every network that is left."""
        state = self.keeper.restore()
        if state:
            self.rows = [TrainedNetwork(**row) for row in state["rows"]]
        elif self.keeper.writes:
            self._log_start()
        for entrant in self.entrants[len(self.rows) :]:
            self._train(entrant, state if state and state["trainer"] else None)
            state = None
        result = TrainResult(tuple(self.rows), round(self.keeper.seconds, 3), self.folder.path)
        if self.keeper.writes:
            self.folder.log.write("result", **result.to_json())
        return result

    def _train(self, entrant: Entrant, state: dict[str, Any] | None) -> None:
        torch.manual_seed(self.config.seed)
        inherit = self.config.inherit if entrant.name == "found" else None
        module = build(entrant, auxiliary=self.config.auxiliary > 0, inherit=inherit)
        trainer = Trainer(self.fabric, module, self.config)
        epoch, step, best = 0, 0, 0.0
        if state:
            trainer.load_state(state["trainer"])
            torch.set_rng_state(state["random"]["cpu"])  # building the module drew from it
            epoch, step, best = state["epoch"], state["step"], state["best"]
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
        for step, (images, labels) in enumerate(self.batches.epoch(epoch, start), start):
            trainer.step(images, labels, (epoch + step / steps) / self.config.epochs)
            due = self.keeper.tick() and step + 1 < steps
            looks = self.fabric.device.type == "cpu" or step % 50 == 0  # a look makes a GPU wait
            if due or looks or step + 1 == steps:
                where = f"in epoch {epoch + 1}, step {step + 1}, of the {entrant.name} network"
                trainer.meter.require_finite(where)
            if due:
                self._save(trainer, epoch, step + 1, best)
            progress.advance()
        top1 = self._log_epoch(entrant, trainer, epoch, progress)
        if top1 > best and entrant.name == "found" and self.keeper.writes:
            content = {"epoch": epoch, "top1": top1, "network": trainer.scored.state_dict()}
            save_checkpoint(self.folder.checkpoint("best"), content)
        trainer.meter.reset()
        self._save(trainer, epoch + 1, 0, max(best, top1))
        return max(best, top1)

    def _save(self, trainer: Trainer | None, epoch: int, step: int, best: float) -> None:
        rows = [asdict(row) for row in self.rows]
        kept = trainer.state() if trainer else None
        state = {"rows": rows, "epoch": epoch, "step": step, "best": best, "trainer": kept}
        self.keeper.save(state)

    def _log_start(self) -> None:
        self.folder.log.write(
            "start",
            kind="train",
            params=graph_cost(self.entrants[0].network).params,
            versions=versions(),
            hardware=describe_hardware(self.fabric.device),
        )

    def _log_epoch(
        self, entrant: Entrant, trainer: Trainer, epoch: int, progress: Progress
    ) -> float:
        scored = evaluate(
            self.fabric, trainer.scored, test_batches(self.fabric, self.images).epoch(0)
        )
        assert scored.top1 is not None, "a data set has test images"
        self.keeper.tick()
        if self.keeper.writes:
            self.folder.log.write(
                "epoch",
                name=entrant.name,
                epoch=epoch,
                train_loss=trainer.meter.loss,
                train_top1=trainer.meter.top1,
                test_loss=scored.loss,
                test_top1=scored.top1,
                test_top5=scored.top5,
                lr=trainer.optimiser.param_groups[0]["lr"],
                seconds=round(self.keeper.seconds, 3),
            )
        progress.note(
            f"{entrant.name}, epoch {epoch + 1}/{self.config.epochs}: train "
            f"{trainer.meter.top1:.1f} %, test {scored.top1:.1f} %"
        )
        return scored.top1

    def _finish(self, entrant: Entrant, trainer: Trainer, best: float) -> None:
        scored = evaluate(
            self.fabric, trainer.scored, test_batches(self.fabric, self.images).epoch(0)
        )
        assert scored.top1 is not None and scored.top5 is not None, "a data set has test images"
        cost = graph_cost(entrant.network)
        text = write_architecture(entrant.architecture)
        top1, top5, best = (round(value, 4) for value in (scored.top1, scored.top5, best))
        self.rows.append(
            TrainedNetwork(
                entrant.name, text, entrant.size.channels, cost.params, cost.macs, top1, top5, best
            )
        )
        if entrant.name == "found" and self.keeper.writes:
            state = trainer.scored.state_dict()
            weights = {name: t.detach().cpu().contiguous() for name, t in state.items()}
            write_bytes(self.folder.weights, pack(weights))
            write_json(
                self.folder.architecture, {**entrant.architecture.to_json(), "text": text}
            )
        self._save(None, 0, 0, 0.0)
