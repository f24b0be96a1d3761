"""Configuration of a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from archwright.engine.options import (
    RunOptions,
    require,
    require_fraction,
    require_not_negative,
    require_positive,
    require_schedule,
)
from archwright.errors import unknown

Rival = Literal["hand-made", "random"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunOptions):
    """Train a discrete network with the retraining recipe of DARTS."""

    out: Path
    """The run folder."""
    architecture: str
    """An architecture file, a run folder, a published name (darts-v2), or a notation."""
    space: str | None = None
    """The Python file of the architecture's space, if that is one of your own and not named in a
    notation."""
    channels: int | None = None
    """Width at full resolution (darts: 36)."""
    cells: int | None = None
    """Depth: cells a stage in nasbench201, cells in all in darts (20), blocks in spos."""
    inherit: Path | None = None
    """Start from the weights that this search left; same channels and cells."""
    against: tuple[Rival, ...] = ()
    """Networks trained beside it with the same recipe: hand-made (at the same MACs), random."""
    epochs: int = 600
    """Passes over the training images."""
    batch_size: int = 96
    """Images a step, over all processes."""
    lr: float = 0.025
    """Highest learning rate; it falls by half a cosine."""
    lr_min: float = 0.0
    """Learning rate at the end."""
    warmup_epochs: float = 0.0
    """Epochs over which the rate rises from zero."""
    momentum: float = 0.9
    """Momentum of SGD."""
    nesterov: bool = False
    """Nesterov's momentum."""
    weight_decay: float = 3e-4
    """Weight decay."""
    clip: float = 5.0
    """Largest gradient norm."""
    cutout: int | None = None
    """Side in pixels of the square that is cut out (else half the image's: 16 of 32); 0: none."""
    drop_path: float = 0.2
    """Probability, reached at the end, with which an edge is dropped."""
    auxiliary: float = 0.4
    """Weight of the auxiliary head's loss; 0: no auxiliary head."""
    label_smoothing: float = 0.0
    """Share of the label that is spread over all classes."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is then scored; 0: none."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: one is out of range, or two contradict each other (the flags are named).
        """
        super().__post_init__()
        require_positive(self, "channels", "cells", "epochs", "batch_size", "lr", "clip")
        require_fraction(self, "drop_path", "label_smoothing", "ema", "momentum")
        require_not_negative(self, "lr_min", "weight_decay", "auxiliary", "warmup_epochs", "cutout")
        require_schedule(self.lr, self.lr_min, self.epochs, self.warmup_epochs)
        for name in self.against:
            require(
                name in get_args(Rival), unknown("network for --against", name, get_args(Rival))
            )
        require(len(set(self.against)) == len(self.against), "--against names a network twice")
