"""Decode images to uint8 tensors, one by one, so that memory does not grow with their number."""

import math
import os
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright.data.decoding.pixels import ImageError, Meaning, Seen
from archwright.data.readers.reading import read_image, without_warnings
from archwright.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_CHUNK = 16  # encoded images that a thread holds at a time
_GLANCE = 64  # pixels a side that are enough to tell what an image is
_NAMED = 10  # of many unusable images


@dataclass(frozen=True)
class EncodedImages:
    """Images as files or bytes, with their labels: rows of a Hugging Face table.

    `rows` int64 [N] are the used rows of `table`, `labels` int64 [N] their classes. `place` names
    the split in messages. The image column is read undecoded: dicts of `bytes` and `path`.
    """

    table: Any
    column: str
    rows: Tensor
    labels: Tensor
    place: str
    meaning: Meaning = field(default_factory=Meaning)

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, indices: Tensor) -> "EncodedImages":
        """Return the images at `indices`, int64 [M], in that order."""
        return replace(self, rows=self.rows[indices], labels=self.labels[indices])

    def open(self, indices: Sequence[int]) -> "list[Image]":
        """Return the images at `indices`, decoded and upright, of mode L or RGB.

        Raises DataError with the file of an unusable image, or with its row if there is no file.
        """
        with without_warnings():
            opened = list(self.each(indices))
        _require_usable([item for item in opened if isinstance(item, Unusable)], [self])
        return [item.image for item in opened if isinstance(item, Opened)]

    def each(
        self, indices: Sequence[int], side: int | None = None
    ) -> "Generator[Opened | Unusable]":
        """Yield the images at `indices`, decoded one at a time (at least twice a `side`, if given).

        The call must be inside `without_warnings`.
        """
        rows = self.rows[list(indices)].tolist()
        for value, row in zip(self.table[rows][self.column], rows, strict=True):
            name, content = _named(value, row, self.place)
            try:
                yield Opened(*read_image(content(), self.meaning, side))
            except ImageError as error:
                yield Unusable(name, error.fact, error.remedy)


@dataclass(frozen=True)
class Opened:
    """Decoded image, of mode L or RGB, with its observed properties."""

    image: "Image"
    seen: Seen


@dataclass(frozen=True)
class Unusable:
    """Image without pixels: its name, its fault, and the remedy."""

    name: str
    fact: str
    remedy: str


@dataclass(frozen=True)
class DecodedImages:
    """Images of one or more splits, uint8 [N, 3, H, W] of each, with their observed properties."""

    parts: list[Tensor]
    seen: list[Seen]


def to_tensor(image: "Image") -> Tensor:
    """Return a decoded image as RGB, uint8 [3, H, W]."""
    pixels = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, 3).permute(2, 0, 1)


def centre_view(image: "Image", size: int, margin: float = 1.0) -> "Image":
    """Return the central square, resized to `size`; `margin` 8/7 is resizing to 256 and cropping
    224.
    """
    if image.size == (size, size) and margin == 1.0:
        return image
    side = min(image.size) / margin
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return resize(image, size, (left, top, left + side, top + side))


def resize(image: "Image", size: int, box: tuple[float, float, float, float]) -> "Image":
    """Return the part of the image in `box` (left, top, right, bottom) at `size` by `size`
    pixels.
    """
    from PIL.Image import Resampling

    return image.resize((size, size), Resampling.BILINEAR, box)


def common_size(sizes: Iterable[tuple[int, int]], place: str) -> int:
    """Return the side in pixels of images that are all squares of one of the `sizes`.

    Raises DataError if they are not: such images need an image size.
    """
    known = sorted(set(sizes))
    if len(known) > 1:
        (w1, h1), (w2, h2) = known[0], known[-1]
        raise DataError(
            f"the images of {place} differ in size ({w1}x{h1} and {w2}x{h2}): "
            "say what to resize them to with --image-size"
        )
    width, height = known[0]
    if width != height:
        raise DataError(
            f"the images of {place} are {width}x{height}, not square: "
            "say what to resize them to with --image-size"
        )
    return width


def first_size(images: EncodedImages) -> tuple[int, int]:
    """Return width and height of the first image that can be decoded.

    Raises DataError with the names of the images if none can be decoded.
    """
    unusable: list[Unusable] = []
    with without_warnings():
        for index in range(len(images)):
            (item,) = images.each([index])
            if isinstance(item, Opened):
                return item.seen.size
            unusable.append(item)
    _require_usable(unusable, [images])
    raise DataError(f"{images.place} holds no images: add some or remove it")


def look(parts: Sequence[EncodedImages]) -> list[Seen]:
    """Return the observed properties of all images of the parts; no image is kept.

    Raises DataError for unusable images.
    """
    return _decode_each(parts, _GLANCE, lambda part, index, image: None)


def decode_all(parts: Sequence[EncodedImages], image_size: int | None) -> DecodedImages:
    """Decode all images of the parts, resized to `image_size` if it is given.

    Without it, the images of a part must be squares of one size. Raises DataError, with names, for
    unusable images of any part, and for different sizes.
    """
    sides = [image_size or first_size(part)[0] for part in parts]
    pixels = [
        torch.empty(len(part), 3, side, side, dtype=torch.uint8)
        for part, side in zip(parts, sides, strict=True)
    ]

    def keep(part: int, index: int, image: "Image") -> None:
        if image_size is not None or image.size == (sides[part], sides[part]):
            pixels[part][index] = to_tensor(centre_view(image, sides[part]))

    seen = _decode_each(parts, image_size, keep)
    if image_size is None:
        of_part = iter(seen)
        for part in parts:
            common_size([next(of_part).size for _ in range(len(part))], part.place)
    return DecodedImages(pixels, seen)


def odd(seen: Sequence[Seen], meaning: Meaning) -> list[str]:
    """Return unexpected properties of images, each in words."""
    frames, transparent = sum(one.frames for one in seen), sum(one.transparent for one in seen)
    colour, total = "#{:02x}{:02x}{:02x}".format(*meaning.background), len(seen)
    found: list[str] = []
    if frames:
        found.append(f"{frames} of {total} images have several frames, of which the first is taken")
    if transparent:
        found.append(f"{transparent} of {total} images are transparent, and put on {colour}")
    return found


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel of uint8 [N, C, H, W], in 0..1, exact by
    histogram.
    """
    means: list[float] = []
    deviations: list[float] = []
    levels = torch.arange(256, dtype=torch.float64) / 255
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = float(share @ levels)
        variance = float(share @ (levels - mean) ** 2)
        means.append(mean)
        # A constant channel has no deviation to divide by; one grey level keeps it finite.
        deviations.append(max(math.sqrt(variance), 1 / 255))
    return tuple(means), tuple(deviations)


def _decode_each(
    parts: Sequence[EncodedImages], side: int | None, use: "Callable[[int, int, Image], None]"
) -> list[Seen]:
    """Pass each image, by part and index, to `use`, in threads; return the properties, in order.

    Raises DataError for unusable images, after all have been tried.
    """

    def decode(task: tuple[int, int]) -> list[Seen | Unusable]:
        (number, start), found = task, list[Seen | Unusable]()
        stop = min(start + _CHUNK, len(parts[number]))
        for index, item in enumerate(parts[number].each(range(start, stop), side), start):
            if isinstance(item, Opened):
                use(number, index, item.image)
                found.append(item.seen)
            else:
                found.append(item)
        return found

    tasks = [
        (number, i) for number in range(len(parts)) for i in range(0, len(parts[number]), _CHUNK)
    ]
    with without_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = [item for chunk in pool.map(decode, tasks) for item in chunk]
    _require_usable([item for item in found if isinstance(item, Unusable)], parts)
    return [item for item in found if isinstance(item, Seen)]


def _require_usable(unusable: Sequence[Unusable], parts: Sequence[EncodedImages]) -> None:
    """Raise DataError for unusable images: the first ten by name, and their number."""
    if len(unusable) == 1:
        (only,) = unusable
        raise DataError(f"{only.name} {only.fact}: {only.remedy}")
    if unusable:
        alike = len({one.fact for one in unusable}) == 1
        told = [one.name if alike else f"{one.name} {one.fact}" for one in unusable[:_NAMED]]
        told += [f"{len(unusable) - _NAMED} more"] if len(unusable) > _NAMED else []
        remedies = dict.fromkeys(re.sub(r"\bit\b", "them", one.remedy) for one in unusable)
        raise DataError(
            f"{len(unusable)} of {sum(map(len, parts))} images cannot be used"
            f"{f', as each {unusable[0].fact}' if alike else ''} ({', '.join(told)}): "
            f"{'; '.join(remedies)}"
        )


def _named(value: Any, row: int, place: str) -> tuple[str, Callable[[], bytes]]:
    """Return the name of a cell's image for messages, and a function that returns its bytes."""
    content: bytes | None = value and value.get("bytes")
    path: str | None = value and value.get("path")
    place = f"row {row} of {place}"
    if content is not None:
        return f"{path} ({place})" if path else place, lambda: content
    return path or place, lambda: _content(path)


def _content(path: str | None) -> bytes:
    if path is None:
        raise ImageError("holds no image", "remove it")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read ({error.strerror})") from error
