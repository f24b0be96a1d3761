"""One-shot scores: the metric of an architecture with the weights of the supernet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from archwright.engine.scoring.evaluate import LabelledBatches
from archwright.engine.scoring.meter import Meter
from archwright.graph import Architecture
from archwright.lowering import GraphModule, Mixture
from archwright.spaces import Size, Space
from archwright.spaces.discretise import random_architecture
from archwright.tasks import Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def one_shot_score(
    fabric: "Fabric",
    task: Task,
    supernet: GraphModule,
    architecture: Architecture,
    batches: LabelledBatches,
) -> float:
    """Return the task's metric of the supernet with all weight on one architecture."""
    mixture = one_hot_mixture(supernet, architecture)
    return mixture_score(fabric, task, supernet, mixture, batches)


def one_hot_mixture(supernet: GraphModule, architecture: Architecture) -> Mixture:
    """Return the mixture with all weight on one architecture; only its candidates are executed."""
    like = next(supernet.parameters())
    return Mixture.one_hot(supernet.decisions, architecture.answers(), like=like, only_sample=True)


def mixture_score(
    fabric: "Fabric",
    task: Task,
    supernet: GraphModule,
    mixture: Mixture,
    batches: LabelledBatches,
) -> float:
    """Return the task's metric of the supernet with these weights of its candidates."""
    score = mixture_meter(fabric, task, supernet, mixture, batches).score
    assert score is not None, "there is at least one batch"
    return score


@torch.no_grad()
def mixture_meter(
    fabric: "Fabric",
    task: Task,
    supernet: GraphModule,
    mixture: Mixture,
    batches: LabelledBatches,
) -> Meter:
    """Return loss and metrics of the supernet with these weights of its candidates.

    Batch norms use the statistics of each batch, since the supernet's running statistics are those
    of other mixtures; running statistics are updated as in training.
    """
    supernet.train()
    meter = Meter(fabric, task)
    for images, targets in batches:
        with fabric.autocast():
            outputs, _ = supernet(images, mixture)
        meter.add(task.loss(outputs, targets), outputs, targets)
    return meter.over_processes()


def sample_architectures(space: Space, size: Size, count: int, seed: int) -> list[Architecture]:
    """Draw `count` connected architectures uniformly; the same ones for the same seed."""
    generator = np.random.default_rng(seed)
    return [random_architecture(space, size, generator) for _ in range(count)]


def best_of(
    fabric: "Fabric",
    task: Task,
    supernet: GraphModule,
    architectures: Sequence[Architecture],
    batches: LabelledBatches,
) -> Architecture:
    """Return the architecture of the best one-shot score; the first one wins a tie."""
    if len(architectures) == 1:
        return architectures[0]
    held = list(batches)
    scores = [one_shot_score(fabric, task, supernet, one, held) for one in architectures]
    return architectures[max(range(len(scores)), key=lambda at: task.metric.rank(scores[at]))]
