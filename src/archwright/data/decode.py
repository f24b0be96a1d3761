"""Encoded images to uint8 tensors; all are decoded as RGB, with a note of which were grey."""

import io
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_EXIF_ORIENTATION = 0x0112
_CHUNK = 512  # images a thread decodes at a time: enough to hide the reading of a row group


@dataclass(frozen=True)
class EncodedImages:
    """Images still as files or bytes, with their labels: rows of a Hugging Face table.

    `rows` int64 [N] are the rows of `table` used, `labels` int64 [N] their classes. `place` names
    the split in messages. The image column is read undecoded: dicts of `bytes` and `path`.
    """

    table: Any
    column: str
    rows: Tensor
    labels: Tensor
    place: str

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, indices: Tensor) -> "EncodedImages":
        """The images at `indices`, int64 [M], in that order."""
        rows, labels = self.rows[indices], self.labels[indices]
        return EncodedImages(self.table, self.column, rows, labels, self.place)

    def open(self, indices: Sequence[int]) -> "list[Image]":
        """The images at `indices`, decoded and upright.

        Raises DataError naming the file, or the row where there is none, of a corrupt image.
        """
        rows = self.rows[list(indices)].tolist()
        values = self.table[rows][self.column]
        return [_open(value, row, self.place) for value, row in zip(values, rows, strict=True)]


def is_grey(image: "Image") -> bool:
    """Whether the file stores one intensity a pixel, rather than a colour."""
    return image.mode in _GREY_MODES


def to_tensor(image: "Image") -> Tensor:
    """The image as RGB, uint8 [3, H, W]."""
    pixels = torch.frombuffer(bytearray(_rgb(image).tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, 3).permute(2, 0, 1)


def centre_view(image: "Image", size: int, margin: float = 1.0) -> "Image":
    """The central square, resized to `size`; `margin` 8/7 is resizing to 256 and cropping 224."""
    if image.size == (size, size) and margin == 1.0:
        return image
    side = min(image.size) / margin
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return resize(image, size, (left, top, left + side, top + side))


def resize(image: "Image", size: int, box: tuple[float, float, float, float]) -> "Image":
    """The part of the image in `box` (left, top, right, bottom) as RGB of `size` by `size`."""
    from PIL.Image import Resampling

    return _rgb(image).resize((size, size), Resampling.BILINEAR, box)


def common_size(images: "Sequence[Image]", place: str) -> int:
    """The side in pixels of images that are all squares of one size.

    Raises DataError where they are not: such images need an image size to be brought to.
    """
    sizes = sorted({image.size for image in images})
    if len(sizes) > 1:
        (w1, h1), (w2, h2) = sizes[0], sizes[-1]
        raise DataError(
            f"the images of {place} differ in size ({w1}x{h1} and {w2}x{h2}): "
            "say what to resize them to with --image-size"
        )
    width, height = sizes[0]
    if width != height:
        raise DataError(
            f"the images of {place} are {width}x{height}, not square: "
            "say what to resize them to with --image-size"
        )
    return width


def decode_all(images: EncodedImages, image_size: int | None) -> tuple[Tensor, bool]:
    """All images as uint8 [N, 3, H, W], and whether every one of them was grey.

    Without `image_size` the images must be squares of one size. Raises DataError for a corrupt
    image and for sizes that differ.
    """
    size = image_size or common_size(images.open([0]), images.place)
    pixels = torch.empty(len(images), size, size, 3, dtype=torch.uint8)

    def decode(start: int) -> bool:
        chunk = images.open(range(start, min(start + _CHUNK, len(images))))
        if image_size is None and any(image.size != (size, size) for image in chunk):
            common_size([*images.open([0]), *chunk], images.place)
        raw = b"".join(_rgb(centre_view(image, size)).tobytes() for image in chunk)
        decoded = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
        pixels[start : start + len(chunk)] = decoded.view(len(chunk), size, size, 3)
        return all(is_grey(image) for image in chunk)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        grey = all(list(pool.map(decode, range(0, len(images), _CHUNK))))
    return pixels.permute(0, 3, 1, 2).contiguous(), grey


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel of uint8 [N, C, H, W], in 0..1, exact by histogram."""
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


def _open(value: Any, row: int, place: str) -> "Image":
    from PIL import Image, ImageOps

    content = value and value.get("bytes")
    path = value and value.get("path")
    if content is None and path is None:
        raise DataError(f"row {row} of {place} holds no image: remove it")
    name = f"{path} (row {row} of {place})" if content is not None and path else path
    name = name or f"row {row} of {place}"
    try:
        image = Image.open(io.BytesIO(content if content is not None else Path(path).read_bytes()))
        image.load()
        if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
            return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is not a readable image: replace or remove it") from error
    return image


def _rgb(image: "Image") -> "Image":
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # PIL clips 16-bit grey at 255 instead of scaling it.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return image.convert("RGB")
