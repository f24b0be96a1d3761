"""Scoring a network on images it was not trained on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright import data
from archwright.lower import Mixture, NaiveNetwork
from archwright.train.meter import Meter

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Labelled = Iterable[tuple[Tensor, Tensor]]
"""Batches of images [B, C, H, W] and labels [B]."""


def test_batches(fabric: "Fabric", images: data.ImageData, batch_size: int = 256) -> data.Batches:
    """The test images in their order, each process its share."""
    return data.Batches(
        images.test,
        batch_size - batch_size % fabric.world_size,
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
    fabric: "Fabric", network: NaiveNetwork, batches: Labelled, mixture: Mixture | None = None
) -> Meter:
    """Loss and accuracy in evaluation mode, over all processes; the mode is put back."""
    training = network.training
    network.eval()
    meter = Meter(fabric.device)
    for images, labels in batches:
        with fabric.autocast():
            logits, _ = network(images, mixture)
        meter.add(functional.cross_entropy(logits.float(), labels), logits, labels)
    network.train(training)
    if fabric.world_size > 1:
        total = fabric.all_reduce(meter.sums, reduce_op="sum")
        assert isinstance(total, Tensor), "a tensor goes in, a tensor comes out"
        meter.sums = total
    return meter


@torch.no_grad()
def recalibrate(
    fabric: "Fabric", network: NaiveNetwork, batches: Labelled, count: int = 50
) -> None:
    """Set running statistics to the plain mean over `count` batches.

    A network that was cut out of a supernet has the mixture's statistics until then.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with _cumulative(norms), _training(network):
        for images, _ in islice(batches, count):
            with fabric.autocast():
                network(images)


@contextmanager
def _cumulative(norms: list[nn.BatchNorm2d]) -> Iterator[None]:
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
def _training(network: NaiveNetwork) -> Iterator[None]:
    training, drop_path = network.training, network.drop_path
    network.train()
    network.drop_path = 0.0
    try:
        yield
    finally:
        network.train(training)
        network.drop_path = drop_path
