"""The images on which what stands in for deleted nodes is fitted."""

from typing import TYPE_CHECKING

from torch import Tensor

from archwright import data

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_BATCH = 256
"""Images of a batch in which first-order changes are taken."""


def calibration_batches(
    fabric: "Fabric", images: data.ImageData, count: int, seed: int
) -> list[tuple[Tensor, Tensor]]:
    """`count` of the training images (all, if there are fewer) as they are, in batches.

    A sample by the seed: images [B, C, H, W] and labels [B], neither shifted nor cut.
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
    found: list[tuple[Tensor, Tensor]] = []
    for given, labels in batches.epoch(0):
        found.append((given[:count], labels[:count]))
        count -= len(labels)
        if count <= 0:
            break
    return found
