"""A finalist's trial: its network cut out of the supernet, and trained for a moment by itself.

What a supernet's weights say of an architecture as they are hardly ranks it: they were learned
under the mixture of all. After half an epoch alone the loss does (docs/protocol.md).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import torch

from archwright import data
from archwright.derive import restrict
from archwright.ir import Architecture
from archwright.lower import NaiveNetwork
from archwright.search.bilevel import Batch, Bilevel
from archwright.spaces import write_architecture
from archwright.train.config import TrainConfig
from archwright.train.evaluate import evaluate
from archwright.train.trainer import Trainer

if TYPE_CHECKING:
    from pathlib import Path

_HELD = 32
"""Batches of alpha's images that a trial is scored on."""


@dataclass(frozen=True)
class Score:
    """What a network reached on images that its weights were not trained on.

    `loss` is in nats, infinite where the training diverged; `top1` in percent.
    """

    loss: float
    top1: float

    def to_json(self) -> dict[str, float | None]:
        """The score as JSON has it, which knows no infinity."""
        return {"loss": self.loss if math.isfinite(self.loss) else None, "top1": self.top1}


class Trials:
    """Trains finalists, all on the same images in the same order, and keeps what they reached.

    The rate falls by half a cosine from half of the search's highest: weights are inherited.
    """

    def __init__(
        self,
        bilevel: Bilevel,
        weights: data.Batches,
        alpha: data.Batches,
        *,
        epochs: float,
        out: "Path",
    ) -> None:
        """Trials of `epochs` passes over the weights' images, scored on alpha's."""
        self._bilevel = bilevel
        self._weights, self._alpha = weights, alpha
        self._epochs, self._out = epochs, out
        self._held: list[Batch] = []
        self.seen: dict[Architecture, Score] = {}

    @property
    def visible(self) -> bool:
        """Whether this process shows how far it is."""
        return self._bilevel.fabric.is_global_zero

    def score(self, architecture: Architecture) -> Score:
        """What an architecture reaches; one that was tried is not tried again."""
        if architecture not in self.seen:
            self.seen[architecture] = self._tried(architecture)
        return self.seen[architecture]

    def _tried(self, architecture: Architecture) -> Score:
        trainer = self._trainer(architecture)
        total = max(1, round(self._epochs * len(self._weights)))
        for step, batch in enumerate(islice(self._batches(), total)):
            trainer.step(*batch, step / total)
        trainer.share_statistics()
        if not self._held:
            self._held = list(islice(self._alpha.epoch(0), _HELD))
        score = evaluate(self._bilevel.fabric, trainer.network, self._held)
        assert score.top1 is not None, "alpha has images"
        return Score(math.inf if score.loss is None else score.loss, score.top1)

    def _trainer(self, architecture: Architecture) -> Trainer:
        supernet, recipe = self._bilevel.network, self._bilevel.recipe
        with torch.random.fork_rng(devices=()):  # the first weights of a module are not used
            network = NaiveNetwork(restrict(supernet.network, architecture))
        network.inherit(supernet)
        config = TrainConfig(
            **{"out": self._out, "architecture": write_architecture(architecture)},
            **{"batch_size": recipe.batch_size, "lr": recipe.lr / 2, "clip": recipe.clip},
            **{"momentum": recipe.momentum, "nesterov": recipe.nesterov},
            **{"weight_decay": recipe.weight_decay, "drop_path": 0.0, "auxiliary": 0.0},
        )
        return Trainer(self._bilevel.fabric, network, config)

    def _batches(self) -> Iterator[Batch]:
        """The weights' images in orders that the search has not had, without end."""
        for epoch in count(self._bilevel.recipe.epochs):
            yield from self._weights.epoch(epoch)
