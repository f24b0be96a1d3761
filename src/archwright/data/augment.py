"""Augmentation of whole batches: settings, the numbers drawn for it, and its application.

B images, C channels, H height, W width. Drawing is separate from applying, so that a rank can take
its rows of a global batch's draws, and so that the draws are equal on every device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archwright.data import counter_rng
from archwright.errors import ConfigError

_SCALE = (0.08, 1.0)  # share of the area and
_RATIO = (3 / 4, 4 / 3)  # width by height of a random resized crop (Szegedy et al., CVPR 2015)
_CROP_ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Transformations of a training image, in this order.

    resized_crop: a crop of 8 to 100 % of the area, resized; for streamed sets only.
    crop_padding: pixels of zeros put around the image before a crop of its own size; 0 for none.
    flip: mirror left to right with probability 1/2.
    cutout: side in pixels of a square set to the mean, its centre anywhere in the image and the
        rest clipped at the border (DeVries & Taylor, 2017); 0 for none.

    Raises ConfigError for a negative size.
    """

    crop_padding: int = 0
    flip: bool = False
    cutout: int = 0
    resized_crop: bool = False

    def __post_init__(self) -> None:
        for name in ("crop_padding", "cutout"):
            value = getattr(self, name)
            if value < 0:
                raise ConfigError(f"{name} is {value}: give 0 for none, or a number of pixels")


@dataclass(frozen=True)
class Draws:
    """Numbers drawn for B images: `shift` and `centre` are (row, column)."""

    shift: Tensor  # int64 [B, 2], corner of the crop in the padded image
    flip: Tensor  # bool [B]
    centre: Tensor  # int64 [B, 2], centre of the cutout square in the final image

    def rows(self, start: int, stop: int) -> "Draws":
        """Return the draws of images `start` to `stop`."""
        return Draws(self.shift[start:stop], self.flip[start:stop], self.centre[start:stop])

    def to(self, device: torch.device) -> "Draws":
        """Return the same draws on `device`."""
        return Draws(self.shift.to(device), self.flip.to(device), self.centre.to(device))


def draw(augmentation: Augmentation, key: int, count: int, size: int) -> Draws:
    """Return the draws for `count` images of `size` by `size` pixels, on the CPU, from `key`
    alone.
    """
    window = 2 * augmentation.crop_padding + 1
    if augmentation.flip:
        flip = counter_rng.coins(counter_rng.key(key, "flip"), count)
    else:
        flip = torch.zeros(count, dtype=torch.bool)
    return Draws(
        shift=counter_rng.integers(counter_rng.key(key, "shift"), 2 * count, window).view(count, 2),
        flip=flip,
        centre=counter_rng.integers(counter_rng.key(key, "cutout"), 2 * count, size).view(count, 2),
    )


def crop_and_flip(images: Tensor, draws: Draws, padding: int) -> Tensor:
    """Pad each image of [B, C, H, W] with zeros, crop it at its own shift, and mirror it if
    drawn.
    """
    batch, channels, height, width = images.shape
    across = torch.arange(width, device=images.device)
    columns = torch.where(draws.flip[:, None], across.flip(0), across) + draws.shift[:, 1:]
    rows = torch.arange(height, device=images.device) + draws.shift[:, :1]
    # One gather over flattened pixels: a row and a column index per image, shared by channels.
    pixels = rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]
    padded = functional.pad(images, [padding] * 4).flatten(2)
    index = pixels.view(batch, 1, height * width).expand(batch, channels, height * width)
    return padded.gather(2, index).view(images.shape)


def cutout_(images: Tensor, centre: Tensor, side: int) -> Tensor:
    """Zero, in place, a square of `side` pixels around `centre` [B, 2] in each of [B, C, H, W].

    The images must be normalised, so that zero is the mean, as in the paper.
    """
    height, width = images.shape[2:]
    first = centre - side // 2
    down = torch.arange(height, device=images.device) - first[:, :1]
    across = torch.arange(width, device=images.device) - first[:, 1:]
    inside_rows, inside_columns = (down >= 0) & (down < side), (across >= 0) & (across < side)
    return images.masked_fill_((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)


def resized_crop_box(key: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a random resized crop of a `width` by `height` image.

    If no attempt fits a long narrow image: its centre, at the nearest allowed ratio.
    """
    share, ratio, left, top = counter_rng.uniform(key, 4 * _CROP_ATTEMPTS).view(4, -1).tolist()
    for attempt in range(_CROP_ATTEMPTS):
        area = width * height * (_SCALE[0] + share[attempt] * (_SCALE[1] - _SCALE[0]))
        low, high = math.log(_RATIO[0]), math.log(_RATIO[1])
        shape = math.exp(low + ratio[attempt] * (high - low))
        across, down = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < across <= width and 0 < down <= height:
            x = int(left[attempt] * (width - across + 1))
            y = int(top[attempt] * (height - down + 1))
            return x, y, x + across, y + down
    across = min(width, max(1, round(height * _RATIO[1])))
    down = min(height, max(1, round(width / _RATIO[0])))
    x, y = (width - across) // 2, (height - down) // 2
    return x, y, x + across, y + down
