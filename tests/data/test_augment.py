from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archwright.data import Augmentation
from archwright.data.augment import Draws, crop_and_flip, cutout_, draw, resized_crop_box
from archwright.errors import ConfigError


def oracle(image: Tensor, shift: list[int], flip: bool, padding: int) -> Tensor:
    """One image, pixel by pixel."""
    channels, height, width = image.shape
    out = torch.zeros_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                source_y, source_x = y + shift[0] - padding, x + shift[1] - padding
                if 0 <= source_y < height and 0 <= source_x < width:
                    out[c, y, width - 1 - x if flip else x] = image[c, source_y, source_x]
    return out


@given(
    padding=st.integers(0, 3),
    flip=st.booleans(),
    size=st.integers(2, 6),
    key=st.integers(-(2**63), 2**63 - 1),
)
def test_a_batch_is_augmented_as_image_by_image(
    padding: int, flip: bool, size: int, key: int
) -> None:
    images = torch.arange(1, 4 * 2 * size * size + 1).view(4, 2, size, size)
    draws = draw(Augmentation(crop_padding=padding, flip=flip), key, 4, size)
    got = crop_and_flip(images, draws, padding)
    for index in range(4):
        shift, mirrored = draws.shift[index].tolist(), bool(draws.flip[index])
        assert got[index].equal(oracle(images[index], shift, mirrored, padding))


def test_draws_cover_the_range_and_no_more() -> None:
    draws = draw(Augmentation(crop_padding=2, flip=True, cutout=3), 1, 5000, 8)
    assert sorted(set(draws.shift.flatten().tolist())) == [0, 1, 2, 3, 4]
    assert sorted(set(draws.centre.flatten().tolist())) == list(range(8))
    assert 0.45 < draws.flip.double().mean() < 0.55
    # Row, column and side are independent of one another.
    mixed = torch.stack([draws.shift[:, 0], draws.shift[:, 1], draws.flip.long()]).double()
    assert (torch.corrcoef(mixed) - torch.eye(3)).abs().max() < 0.05


def test_without_flip_nothing_is_mirrored() -> None:
    assert not draw(Augmentation(crop_padding=1), 1, 1000, 8).flip.any()


def test_rows_of_draws_are_those_of_the_whole() -> None:
    draws = draw(Augmentation(crop_padding=2, flip=True), 1, 10, 8)
    part = draws.rows(3, 7)
    assert part.shift.equal(draws.shift[3:7])
    assert part.flip.equal(draws.flip[3:7])
    assert part.centre.equal(draws.centre[3:7])


@given(side=st.integers(1, 9), y=st.integers(0, 6), x=st.integers(0, 6), channels=st.integers(1, 3))
def test_cutout_zeroes_a_square_clipped_at_the_border(
    side: int, y: int, x: int, channels: int
) -> None:
    images = torch.ones(2, channels, 7, 7)
    cutout_(images, torch.tensor([[y, x], [0, 6]]), side)
    expected = torch.ones(7, 7)
    for row in range(y - side // 2, y - side // 2 + side):
        for column in range(x - side // 2, x - side // 2 + side):
            if 0 <= row < 7 and 0 <= column < 7:
                expected[row, column] = 0
    for channel in range(channels):
        assert images[0, channel].equal(expected)


def test_crops_stay_within_the_image_and_within_the_allowed_shapes() -> None:
    shares: list[float] = []
    for key in range(500):
        left, top, right, bottom = resized_crop_box(key, 60, 40)
        assert 0 <= left < right <= 60
        assert 0 <= top < bottom <= 40
        assert 0.70 < (right - left) / (bottom - top) < 1.42
        shares.append((right - left) * (bottom - top) / 2400)
    assert 0.06 < min(shares) < 0.15
    assert max(shares) > 0.8


def test_a_crop_of_a_very_narrow_image_is_its_centre() -> None:
    assert resized_crop_box(3, 4, 400) == (0, 197, 4, 202)


@pytest.mark.parametrize("name", ["crop_padding", "cutout"])
def test_a_negative_size_is_refused(name: str) -> None:
    negative: dict[str, Any] = {name: -1}
    with pytest.raises(ConfigError, match=rf"^{name} is -1: give 0 for none"):
        Augmentation(**negative)


def test_draws_move_together() -> None:
    moved = draw(Augmentation(crop_padding=1), 1, 3, 8).to(torch.device("meta"))
    assert isinstance(moved, Draws)
    assert {moved.shift.device.type, moved.flip.device.type, moved.centre.device.type} == {"meta"}
