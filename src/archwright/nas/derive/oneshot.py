"""One-shot accuracy: the accuracy of an architecture with the weights of the supernet."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from archwright.engine.evaluate import LabelledBatches
from archwright.engine.meter import Meter
from archwright.graph import Architecture
from archwright.lowering import GraphModule, Mixture
from archwright.spaces import Size, Space
from archwright.spaces.discretise import random_architecture

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def one_shot_accuracy(
    fabric: "Fabric", supernet: GraphModule, architecture: Architecture, batches: LabelledBatches
) -> float:
    """Return the accuracy in percent of one architecture with the supernet's weights."""
    return mixture_accuracy(fabric, supernet, one_hot_mixture(supernet, architecture), batches)


def one_hot_mixture(supernet: GraphModule, architecture: Architecture) -> Mixture:
    """Return the mixture with all weight on one architecture; nothing else is executed."""
    like = next(supernet.parameters())
    return Mixture.one_hot(supernet.decisions, architecture.answers(), like=like, only_sample=True)


def mixture_accuracy(
    fabric: "Fabric", supernet: GraphModule, mixture: Mixture, batches: LabelledBatches
) -> float:
    """Return the accuracy in percent of the supernet with these weights of its candidates."""
    top1 = mixture_score(fabric, supernet, mixture, batches).top1
    assert top1 is not None, "there is at least one batch"
    return top1


@torch.no_grad()
def mixture_score(
    fabric: "Fabric", supernet: GraphModule, mixture: Mixture, batches: LabelledBatches
) -> Meter:
    """Return loss and accuracy of the supernet with these weights of its candidates.

    Batch norms take the statistics of each batch, since the supernet's running ones are those of
    other mixtures; running statistics move as they do in training.
    """
    supernet.train()
    meter = Meter(fabric)
    for images, labels in batches:
        with fabric.autocast():
            logits, _ = supernet(images, mixture)
        meter.add(functional.cross_entropy(logits.float(), labels), logits, labels)
    return meter.over_processes()


def sample_architectures(space: Space, size: Size, count: int, seed: int) -> list[Architecture]:
    """Draw connected architectures uniformly; the same ones for the same seed."""
    generator = np.random.default_rng(seed)
    return [random_architecture(space, size, generator) for _ in range(count)]


def best_of(
    fabric: "Fabric",
    supernet: GraphModule,
    architectures: Sequence[Architecture],
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
) -> Architecture:
    """Return the architecture of the highest one-shot accuracy; the first one wins a tie."""
    if len(architectures) == 1:
        return architectures[0]
    held = list(batches)
    scores = [one_shot_accuracy(fabric, supernet, one, held) for one in architectures]
    return architectures[max(range(len(scores)), key=scores.__getitem__)]
