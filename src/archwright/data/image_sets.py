"""Sets of labelled images: small ones as one tensor, large ones decoded on demand."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from archwright.data import counter_rng
from archwright.data.augment import Augmentation, crop_and_flip, draw, resized_crop_box
from archwright.data.decoding import decode
from archwright.data.decoding.decode import EncodedImages
from archwright.errors import DataError

TEST_MARGIN = 256 / 224  # test images: shorter side resized to 8/7 of the size, centre cropped


@dataclass(frozen=True)
class Shard:
    """Part of a rank of global batch number `batch`: images `start` to `start + len(indices)`."""

    batch: int
    total: int  # images in the global batch
    start: int
    indices: Tensor  # int64 [B], on the CPU


class Fetched(NamedTuple):
    """Batch before normalisation, all on one device."""

    images: Tensor  # uint8 [B, C, H, W], cropped and flipped
    labels: Tensor  # int64 [B]
    centre: Tensor  # int64 [B, 2], where the cutout goes


class ImageSet(ABC):
    """Labelled square images of one size; `labels` is int64 [N] on the CPU."""

    labels: Tensor
    image_size: int
    channels: int

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def subset(self, indices: Tensor) -> Self:
        """Return the images at `indices`, int64 [M], in that order."""

    @abstractmethod
    def fetch(
        self,
        shards: Iterable[Shard],
        augmentation: Augmentation | None,
        key: int,
        *,
        device: torch.device,
        workers: int,
    ) -> Iterator[Fetched]:
        """Return the images of each shard on `device`, augmented by draws that depend on `key`
        alone.
        """


class MemorySet(ImageSet):
    """Decoded images: `images` uint8 [N, C, H, W], on the CPU or on a device."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        """Store `images` uint8 [N, C, H, W], square, and `labels` int64 [N]."""
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[2] != images.shape[3]:
            raise DataError(
                f"images are {images.dtype} {tuple(images.shape)}: give uint8 [N, C, H, W], square"
            )
        if labels.shape != images.shape[:1]:
            raise DataError(f"{len(images)} images have {len(labels)} labels: give one an image")
        self.images = images
        self.labels = labels.to("cpu", torch.int64)
        self.channels, self.image_size = images.shape[1:3]
        self._resident: tuple[torch.device, Tensor, Tensor] | None = None

    def subset(self, indices: Tensor) -> Self:
        """Return the images at `indices`, int64 [M], in that order; a copy."""
        return type(self)(self.images[indices.to(self.images.device)], self.labels[indices])

    def fetch(
        self,
        shards: Iterable[Shard],
        augmentation: Augmentation | None,
        key: int,
        *,
        device: torch.device,
        workers: int,
    ) -> Iterator[Fetched]:
        """Return the images of each shard, augmented on `device` by draws per (key, batch number).

        `workers` is not used. The whole set moves to `device` on first use and stays there.
        """
        images, labels = self._on(device)
        for shard in shards:
            index = shard.indices.to(device)
            batch, centre = images[index], index.new_zeros(len(index), 2)
            if augmentation is not None:
                batch_key = counter_rng.key(key, shard.batch)
                draws = draw(augmentation, batch_key, shard.total, self.image_size)
                draws = draws.rows(shard.start, shard.start + len(index)).to(device)
                centre = draws.centre
                if augmentation.crop_padding or augmentation.flip:
                    batch = crop_and_flip(batch, draws, augmentation.crop_padding)
            yield Fetched(batch, labels[index], centre)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if self._resident is None or self._resident[0] != device:
            self._resident = (device, self.images.to(device), self.labels.to(device))
        return self._resident[1:]


class StreamedSet(ImageSet):
    """Images that DataLoader workers decode one by one when batches need them."""

    def __init__(self, encoded: EncodedImages, *, image_size: int, channels: int) -> None:
        """Stream `encoded` as [channels, image_size, image_size]; channels are 1 or 3."""
        self.encoded = encoded
        self.labels = encoded.labels
        self.image_size = image_size
        self.channels = channels

    def subset(self, indices: Tensor) -> Self:
        """Return the images at `indices`, int64 [M], in that order; nothing is read."""
        encoded = self.encoded.subset(indices)
        return type(self)(encoded, image_size=self.image_size, channels=self.channels)

    def fetch(
        self,
        shards: Iterable[Shard],
        augmentation: Augmentation | None,
        key: int,
        *,
        device: torch.device,
        workers: int,
    ) -> Iterator[Fetched]:
        """Return the images of each shard, decoded by `workers` processes, drawn per (key,
        index).
        """
        loader: DataLoader[Fetched | DataError] = DataLoader(
            _Views(self, augmentation, key),
            batch_sampler=[shard.indices.tolist() for shard in shards],
            collate_fn=_collate,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # a loader without one draws from the global generator
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            images, labels, centre = batch
            yield Fetched(
                images.to(device, non_blocking=True),
                labels.to(device, non_blocking=True),
                centre.to(device, non_blocking=True),
            )


class _Views(Dataset[Fetched | DataError]):
    """One image at a time for a worker: decoded, cropped to size, augmented by its own key."""

    def __init__(self, images: StreamedSet, augmentation: Augmentation | None, key: int) -> None:
        self.images, self.augmentation, self.key = images, augmentation, key

    def __getitem__(self, index: int) -> Fetched | DataError:
        size, how = self.images.image_size, self.augmentation
        try:
            (image,) = self.images.encoded.open([index])
        except DataError as error:
            # Raised in a worker it would come back with the worker's traceback as its message.
            return error
        key = counter_rng.key(self.key, index)
        if how is not None and how.resized_crop:
            box = resized_crop_box(counter_rng.key(key, "box"), *image.size)
            image = decode.resize(image, size, box)
        else:
            image = decode.centre_view(image, size, TEST_MARGIN)
        pixels = decode.to_tensor(image)[None, : self.images.channels]
        labels = self.images.labels[index : index + 1]
        if how is None:
            return Fetched(pixels, labels, torch.zeros(1, 2, dtype=torch.int64))
        draws = draw(how, key, 1, size)
        return Fetched(crop_and_flip(pixels, draws, how.crop_padding), labels, draws.centre)


def _collate(items: list[Fetched | DataError]) -> Fetched | DataError:
    views: list[Fetched] = []
    for item in items:
        if isinstance(item, DataError):
            return item
        views.append(item)
    images, labels, centres = zip(*views, strict=True)
    return Fetched(torch.cat(images), torch.cat(labels), torch.cat(centres))
