"""Training loop of discrete networks, resumable, shared by trainings and prunings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archwright import data
from archwright.engine.options import require
from archwright.engine.progress import ProgressBar
from archwright.engine.runs.checkpoint import loading, restore_random, save_checkpoint
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.engine.scoring.meter import Meter, require_finite
from archwright.engine.setup import training_batches
from archwright.training.config import TrainConfig
from archwright.training.trainer import Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]


def cutout_side(config: TrainConfig, images: data.ImageData) -> int:
    """Return the side in pixels of the square that is cut out of these images.

    Raises:
        ConfigError: it is larger than the images.
    """
    if config.cutout is not None:
        require(
            config.cutout <= images.image_size,
            f"--cutout {config.cutout} is larger than the images: give at most "
            f"{images.image_size}, or 0 for none",
        )
        return config.cutout
    streamed = data.default_augmentation(images).resized_crop
    return 0 if streamed else images.image_size // 2


def augmented_batches(
    fabric: "Fabric", config: TrainConfig, images: data.ImageData
) -> data.Batches:
    """Return the training images in augmented batches.

    Raises:
        ConfigError: the square to cut out is larger than the images.
        DataError: the batch is larger than the images, or does not divide over the processes.
    """
    augment = replace(data.default_augmentation(images), cutout=cutout_side(config, images))
    return training_batches(
        fabric, config, images, config.batch_size, stream="train", augment=augment
    )


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Training over epochs: each is scored on the test images, logged, and kept in a checkpoint.

    Attributes:
        extra_state: returns further content of checkpoints.
        extra_log: returns further content of an epoch's log line.
    """

    fabric: "Fabric"
    checkpointer: Checkpointer
    images: data.ImageData
    batches: data.Batches
    extra_state: Callable[[], State] = dict
    extra_log: Callable[[], State] = dict

    def run(
        self, name: str, trainer: Trainer, state: State | None = None, *, keep_best: bool = False
    ) -> float:
        """Train for all epochs, or continue from `state`; return the best score of an epoch.

        With `keep_best`, the network of the best epoch is kept as the checkpoint `best`.

        Raises:
            RunError: `state` is of another network.
            DivergedError: the loss is no longer finite.
        """
        epoch, step = 0, 0
        best: float | None = None
        if state:
            with loading(self.checkpointer.folder.checkpoint("last")):
                trainer.load_state(state["trainer"])
                epoch, step, best = state["epoch"], state["step"], state["best"]
                restore_random(state, self.fabric.device)  # building the module drew from it
        epochs, steps = trainer.config.epochs, len(self.batches)
        total, done = epochs * steps, epoch * steps + step
        with ProgressBar(
            f"train {name}", total, done, visible=self.checkpointer.writes
        ) as progress:
            for current in range(epoch, epochs):
                best = self._epoch(name, trainer, current, step, best, keep_best, progress)
                step = 0
        assert best is not None, "there is at least one epoch"
        return best

    def score(self, trainer: Trainer) -> Meter:
        """Return loss and metrics on the test images."""
        batches = scoring_batches(self.fabric, self.images)
        return evaluate(self.fabric, self.images.task, trainer.eval_network, batches.epoch(0))

    def _epoch(
        self,
        name: str,
        trainer: Trainer,
        epoch: int,
        start: int,
        best: float | None,
        keep_best: bool,
        progress: ProgressBar,
    ) -> float:
        """Train one epoch and score the network; return the best score so far."""
        steps = len(self.batches)
        which = f"the images of the {name} network"
        for step, (images, targets) in enumerate(self.batches.epoch(epoch, start), start):
            trainer.step(images, targets, (epoch + step / steps) / trainer.config.epochs)
            self.checkpointer.after_step(
                step,
                steps,
                check=lambda: require_finite(epoch, {which: trainer.meter}),
                state=lambda done=step + 1: self._state(trainer, epoch, done, best),
            )
            progress.advance()
        trainer.share_statistics()
        score, metric = self._log_epoch(name, trainer, epoch, progress), self.images.task.metric
        better = best is None or metric.rank(score) > metric.rank(best)
        if better and keep_best and self.checkpointer.writes:
            network = trainer.eval_network.state_dict()
            content = {"epoch": epoch, metric.key: score, "network": network}
            save_checkpoint(
                self.checkpointer.folder.checkpoint("best"), content, self.fabric.device
            )
        best = score if best is None or better else best
        trainer.meter.reset()
        self.checkpointer.save(self._state(trainer, epoch + 1, 0, best))
        return best

    def _state(self, trainer: Trainer, epoch: int, step: int, best: float | None) -> State:
        course = {"epoch": epoch, "step": step, "best": best, "trainer": trainer.state()}
        return {**self.extra_state(), **course}

    def _log_epoch(self, name: str, trainer: Trainer, epoch: int, progress: ProgressBar) -> float:
        trained, scored = trainer.meter.over_processes(), self.score(trainer)
        metric, values = self.images.task.metric, scored.values()
        if self.checkpointer.writes:
            self.checkpointer.folder.log.write(
                "epoch",
                name=name,
                epoch=epoch,
                **{"train_loss": trained.loss, f"train_{metric.key}": trained.score},
                test_loss=scored.loss,
                **{f"test_{key}": value for key, value in values.items()},
                lr=trainer.optimiser.param_groups[0]["lr"],
                **self.extra_log(),
                seconds=self.checkpointer.tick(),
            )
        progress.note(
            f"{name}, epoch {epoch + 1}/{trainer.config.epochs}: train "
            f"{metric.text(trained.score)}, test {metric.text(values[metric.key])}"
        )
        return values[metric.key]
