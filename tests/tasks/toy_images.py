"""The data reader of the toy task: images whose pixels are labelled."""

from collections.abc import Iterable, Iterator
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from archwright.data import Augmentation, ImageData, ImageSet, counter_rng
from archwright.data.augment import crop_and_flip, draw
from archwright.data.image_sets import Fetched, Shard
from archwright.tasks import Task

SIDE, BLOCK, IGNORE = 16, 4, 255


class LabelledPixels(ImageSet):
    """Images uint8 [N, 1, H, W] with labels int64 [N, H, W], which move with their images."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels
        self.channels, self.image_size = images.shape[1:3]

    @override
    def subset(self, indices: Tensor) -> Self:
        return type(self)(self.images[indices], self.labels[indices])

    @override
    def fetch(
        self,
        shards: Iterable[Shard],
        augmentation: Augmentation | None,
        key: int,
        *,
        device: torch.device,
        workers: int,
    ) -> Iterator[Fetched]:
        for shard in shards:
            images, labels = self.images[shard.indices], self.labels[shard.indices]
            centre = torch.zeros(len(images), 2, dtype=torch.int64)
            if augmentation is not None:
                batch_key = counter_rng.key(key, shard.batch)
                draws = draw(augmentation, batch_key, shard.total, self.image_size)
                draws = draws.rows(shard.start, shard.start + len(images))
                images = crop_and_flip(images, draws, augmentation.crop_padding)
                moved = crop_and_flip(labels[:, None] + 1, draws, augmentation.crop_padding)
                labels = moved[:, 0] - 1
                labels[labels < 0] = IGNORE  # what came in from outside
            yield Fetched(images, labels, centre)


def toy_images(task: Task, train: int = 64, test: int = 16) -> ImageData:
    """Images of 4x4 blocks, each black, grey or white, and labelled so; some are not labelled."""
    generator = torch.Generator().manual_seed(0)

    def some(count: int) -> LabelledPixels:
        shape = (count, SIDE // BLOCK, SIDE // BLOCK)
        blocks = torch.randint(3, shape, generator=generator)
        labels = blocks.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)
        images = (labels * 100 + 20).to(torch.uint8)[:, None]
        labels = labels.clone()
        labels[torch.rand(labels.shape, generator=generator) < 0.1] = IGNORE
        return LabelledPixels(images, labels)

    return ImageData(
        name="toy",
        title="toy pixels",
        classes=("black", "grey", "white"),
        channels=1,
        image_size=SIDE,
        train=some(train),
        test=some(test),
        mean=(0.5,),
        std=(0.3,),
        augmentation=Augmentation(crop_padding=2, flip=True),
        task=task,
    )
