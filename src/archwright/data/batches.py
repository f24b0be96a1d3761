"""Batches of normalised images; their order and augmentation need no saved state."""

from collections.abc import Iterator, Sequence

import torch

from archwright.data import counter_rng
from archwright.data.augment import Augmentation, cutout_
from archwright.data.image_sets import ImageSet, MemorySet, Shard
from archwright.errors import DataError
from archwright.tasks import Batch, move


class Batches:
    """Batches of an image set, epoch by epoch.

    The order of an epoch depends on (seed, stream, epoch) alone; the augmentation also on the
    number of the batch, or of the image where the set is streamed. So an epoch can be entered in
    the middle with nothing saved, and the global generators are never touched.
    """

    def __init__(
        self,
        image_set: ImageSet,
        batch_size: int,
        *,
        seed: int,
        stream: str,
        mean: Sequence[float],
        std: Sequence[float],
        augment: Augmentation | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
    ) -> None:
        """Plan batches of `batch_size` images over all `world_size` ranks together.

        stream: a name such as "weights" or "alpha": streams of one seed are independent.
        mean, std: one number a channel, in 0..1.
        rank, world_size: this process yields its equal, contiguous part of every batch, so that
            the parts of all ranks together are the batches of a single process. Only a last,
            partial batch may have unequal, even empty, parts.
        workers: decoding processes of a streamed set; the result does not depend on it.

        Raises DataError for a batch that is larger than the set with `drop_last`, that does not
        divide over the ranks, or that cannot be augmented or normalised as asked.
        """
        _check(image_set, batch_size, drop_last, rank, world_size)
        if augment is not None and augment.resized_crop and isinstance(image_set, MemorySet):
            raise DataError(
                "random resized crops need a streamed set, and this one is held in memory: "
                "use crop_padding"
            )
        if not len(mean) == len(std) == image_set.channels:
            raise DataError(
                f"{image_set.channels} channels cannot be normalised by {len(mean)} means and "
                f"{len(std)} deviations: give one a channel"
            )
        self.image_set = image_set
        self.batch_size = batch_size
        self.augment = augment
        self.device = torch.device(device)
        self._key = (seed, stream)
        self._shuffle, self._drop_last = shuffle, drop_last
        self._rank, self._world_size, self._workers = rank, world_size, workers
        # (x / 255 - mean) / std as one product and one sum.
        deviation = torch.tensor(tuple(std), dtype=torch.float64)
        scale, shift = 1 / (255 * deviation), -torch.tensor(tuple(mean)).double() / deviation
        self._scale, self._shift = (
            value.float().view(-1, 1, 1).to(self.device) for value in (scale, shift)
        )

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        count = len(self.image_set)
        return count // self.batch_size if self._drop_last else -(-count // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield images, normalised float32 [B, C, H, W], and their targets, from batch `start` on.

        Targets are as the image set has them (see `archwright.tasks`): labels int64 [B] of one that
        is classified.

        Batch `start` equals, bit for bit, the one that `epoch(epoch)` yields at that position.
        Raises DataError for a corrupt image of a streamed set.
        """
        seed, stream = self._key
        key = counter_rng.key(seed, stream, epoch)
        fetched = self.image_set.fetch(
            self._shards(key, start),
            self.augment,
            counter_rng.key(key, "augment"),
            device=self.device,
            workers=self._workers,
        )
        for pixels, labels, centre in fetched:
            images = pixels.float().mul_(self._scale).add_(self._shift)
            if self.augment is not None and self.augment.cutout:
                cutout_(images, centre, self.augment.cutout)
            yield images, move(labels, self.device)

    def _shards(self, key: int, start: int) -> Iterator[Shard]:
        count = len(self.image_set)
        if self._shuffle:
            order = counter_rng.permutation(counter_rng.key(key, "order"), count)
        else:
            order = torch.arange(count)
        for batch in range(start, len(self)):
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            first = len(rows) * self._rank // self._world_size
            last = len(rows) * (self._rank + 1) // self._world_size
            yield Shard(batch, len(rows), first, rows[first:last])


def _check(images: ImageSet, batch_size: int, drop_last: bool, rank: int, world: int) -> None:
    if batch_size < 1:
        raise DataError(f"a batch of {batch_size} images is empty: give a batch size of 1 or more")
    if drop_last and batch_size > len(images):
        raise DataError(
            f"a batch of {batch_size} is larger than the {len(images)} images it is drawn from: "
            f"give --batch-size {len(images)} or less, or use more images"
        )
    if not 0 <= rank < world:
        raise DataError(f"rank {rank} is not among {world} processes: ranks are 0 to {world - 1}")
    if batch_size % world:
        raise DataError(
            f"a batch of {batch_size} does not divide over {world} processes: "
            f"use a multiple of {world}"
        )
