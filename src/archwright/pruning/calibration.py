"""Calibration images: training images on which the replacements of deleted nodes are fitted."""

from typing import TYPE_CHECKING

from archwright import data
from archwright.tasks import Batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_BATCH = 256
"""Images of a batch in which first-order changes are taken."""


def calibration_batches(
    fabric: "Fabric", images: data.ImageData, count: int, seed: int
) -> list[Batch]:
    """Return `count` training images (all, if there are fewer) without augmentation, in batches.

    The sample depends on the seed: images [B, C, H, W] and their targets, not shifted and without
    cutout.
    """
    count = min(count, len(images.train))
    batches = data.Batches(
        images.train,
        min(_BATCH, count),
        seed=seed,
        stream="calibration",
        mean=images.mean,
        std=images.std,
        shuffle=True,
        device=fabric.device,
    )
    found: list[Batch] = []
    for given, targets in batches.epoch(0):
        found.append((given[:count], targets[:count]))
        count -= len(given)
        if count <= 0:
            break
    return found
