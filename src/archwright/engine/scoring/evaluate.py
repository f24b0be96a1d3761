"""Score a network on images that it was not trained on."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import nn

from archwright import data
from archwright.engine.device import average_over_processes
from archwright.engine.scoring.meter import Meter
from archwright.lowering import GraphModule, Mixture
from archwright.tasks import Batch, Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LabelledBatches = Iterable[Batch]
"""Batches of images [B, C, H, W] and their targets."""


_BATCH = 256
"""Test images scored at a time."""


def scoring_batches(fabric: "Fabric", images: data.ImageData) -> data.Batches:
    """Return the test images in their order, each process its share."""
    return data.Batches(
        images.test,
        _BATCH - _BATCH % fabric.world_size,
        seed=0,
        stream="test",
        mean=images.mean,
        std=images.std,
        device=fabric.device,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )


@torch.no_grad()
def evaluate(
    fabric: "Fabric",
    task: Task,
    network: GraphModule,
    batches: LabelledBatches,
    mixture: Mixture | None = None,
) -> Meter:
    """Return loss and metrics in evaluation mode, over all processes; the mode is put back."""
    training = network.training
    network.eval()
    meter = Meter(fabric, task)
    for images, targets in batches:
        if not len(images):  # a last batch may be too small for every process to have a part
            continue
        with fabric.autocast():
            outputs, _ = network(images, mixture)
        meter.add(task.loss(outputs, targets), outputs, targets)
    network.train(training)
    return meter.over_processes()


@torch.no_grad()
def recalibrate(
    fabric: "Fabric", network: GraphModule, batches: LabelledBatches, count: int = 50
) -> None:
    """Set running statistics to the plain mean over `count` batches and all processes.

    A network that was cut out of a supernet has the mixture's statistics until then.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with _cumulative(norms), _training(network):
        for images, _ in islice(batches, count):
            with fabric.autocast():
                network(images)
    average_statistics(fabric, network)


@torch.no_grad()
def average_statistics(fabric: "Fabric", network: GraphModule) -> None:
    """Give every process the mean of all processes' running statistics: each saw other images."""
    statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    average_over_processes(fabric, statistics)


@contextmanager
def _cumulative(norms: list[nn.BatchNorm2d]) -> Generator[None]:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


@contextmanager
def _training(network: GraphModule) -> Generator[None]:
    training, drop_path = network.training, network.drop_path
    network.train()
    network.drop_path = 0.0
    try:
        yield
    finally:
        network.train(training)
        network.drop_path = drop_path
