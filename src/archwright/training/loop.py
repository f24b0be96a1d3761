"""The one loop over the epochs of a discrete network's training, resumable."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archwright import data
from archwright.engine.checkpoint import loading, restore_random, save_checkpoint
from archwright.engine.checkpointer import Checkpointer
from archwright.engine.evaluate import evaluate, scoring_batches
from archwright.engine.meter import Meter, require_finite
from archwright.engine.options import require
from archwright.engine.progress import ProgressBar
from archwright.engine.setup import training_batches
from archwright.training.config import TrainConfig
from archwright.training.trainer import Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]


def cutout_side(config: TrainConfig, images: data.ImageData) -> int:
    """Side in pixels of the square that is cut out of these images.

    Raises:
        ConfigError: it is larger than they are.
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
    """The training images as a network sees them while it is trained.

    Raises:
        ConfigError: what is to be cut out is larger than the images.
        DataError: the batch is larger than the images, or does not divide over the processes.
    """
    augment = replace(data.default_augmentation(images), cutout=cutout_side(config, images))
    return training_batches(
        fabric, config, images, config.batch_size, stream="train", augment=augment
    )


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Epochs of training on some images, each scored on the test images, logged and kept.

    Attributes:
        held: what else the run's checkpoints hold.
        noted: what else is logged of an epoch.
    """

    fabric: "Fabric"
    keeper: Checkpointer
    images: data.ImageData
    batches: data.Batches
    held: Callable[[], State] = dict
    noted: Callable[[], State] = dict

    def run(
        self, name: str, trainer: Trainer, state: State | None = None, *, keep_best: bool = False
    ) -> float:
        """Train for all epochs, or from `state` on; the highest top-1 of an epoch (percent).

        With `keep_best` the network of that epoch is kept as the checkpoint `best`.

        Raises:
            RunError: `state` is of another network.
            DivergedError: the loss is no longer finite.
        """
        epoch, step, best = 0, 0, -1.0
        if state:
            with loading(self.keeper.folder.checkpoint("last")):
                trainer.load_state(state["trainer"])
                epoch, step, best = state["epoch"], state["step"], state["best"]
                restore_random(state, self.fabric.device)  # building the module drew from it
        epochs, steps = trainer.config.epochs, len(self.batches)
        total, done = epochs * steps, epoch * steps + step
        with ProgressBar(f"train {name}", total, done, visible=self.keeper.writes) as progress:
            for current in range(epoch, epochs):
                best = self._epoch(name, trainer, current, step, best, keep_best, progress)
                step = 0
        return best

    def score(self, trainer: Trainer) -> Meter:
        """Loss and accuracy on the test images."""
        batches = scoring_batches(self.fabric, self.images)
        return evaluate(self.fabric, trainer.eval_network, batches.epoch(0))

    def _epoch(
        self,
        name: str,
        trainer: Trainer,
        epoch: int,
        start: int,
        best: float,
        keep_best: bool,
        progress: ProgressBar,
    ) -> float:
        """One epoch and its score; the best top-1 so far."""
        steps = len(self.batches)
        which = f"the images of the {name} network"
        for step, (images, labels) in enumerate(self.batches.epoch(epoch, start), start):
            trainer.step(images, labels, (epoch + step / steps) / trainer.config.epochs)
            self.keeper.after_step(
                step,
                steps,
                check=lambda: require_finite(epoch, {which: trainer.meter}),
                state=lambda done=step + 1: self._state(trainer, epoch, done, best),
            )
            progress.advance()
        trainer.share_statistics()
        top1 = self._log_epoch(name, trainer, epoch, progress)
        if top1 > best and keep_best and self.keeper.writes:
            content = {"epoch": epoch, "top1": top1, "network": trainer.eval_network.state_dict()}
            save_checkpoint(self.keeper.folder.checkpoint("best"), content, self.fabric.device)
        best = max(best, top1)
        trainer.meter.reset()
        self.keeper.save(self._state(trainer, epoch + 1, 0, best))
        return best

    def _state(self, trainer: Trainer, epoch: int, step: int, best: float) -> State:
        course = {"epoch": epoch, "step": step, "best": best, "trainer": trainer.state()}
        return {**self.held(), **course}

    def _log_epoch(self, name: str, trainer: Trainer, epoch: int, progress: ProgressBar) -> float:
        trained, scored = trainer.meter.over_processes(), self.score(trainer)
        assert scored.top1 is not None, "a data set has test images"
        if self.keeper.writes:
            self.keeper.folder.log.write(
                "epoch",
                name=name,
                epoch=epoch,
                train_loss=trained.loss,
                train_top1=trained.top1,
                test_loss=scored.loss,
                test_top1=scored.top1,
                test_top5=scored.top5,
                lr=trainer.optimiser.param_groups[0]["lr"],
                **self.noted(),
                seconds=self.keeper.tick(),
            )
        progress.note(
            f"{name}, epoch {epoch + 1}/{trainer.config.epochs}: train "
            f"{trained.top1:.1f} %, test {scored.top1:.1f} %"
        )
        return scored.top1
