import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from archwright.data import (
    Augmentation,
    Batches,
    ImageData,
    StreamedSet,
    default_augmentation,
    load,
    loading,
    search_split,
)
from archwright.errors import DataError

TRAIN = Augmentation(resized_crop=True, flip=True, cutout=2)

# Workers are forked while pools of threads exist; none of those threads is used in a worker.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def streamed(write_folder: Callable[..., Path], monkeypatch: Any) -> ImageData:
    def gradient(index: int) -> Any:
        levels = [level // 2 + index for level in range(256)]
        return Image.linear_gradient("L").resize((20, 16)).point(levels)

    monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 100)
    folder = write_folder({"auk": 15, "owl": 15}, draw=gradient)
    return load(str(folder), image_size=8)


def epoch(data: ImageData, start: int = 0, **options: Any) -> list[tuple[Any, Any]]:
    defaults: dict[str, Any] = {"augment": TRAIN, "shuffle": True, "stream": "w", "seed": 1}
    batches = Batches(data.train, 6, mean=data.mean, std=data.std, **(defaults | options))
    return list(batches.epoch(0, start))


def same(first: list[tuple[Any, Any]], second: list[tuple[Any, Any]]) -> bool:
    return len(first) == len(second) and all(
        a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(first, second, strict=True)
    )


def test_a_large_set_streams(streamed: ImageData) -> None:
    assert isinstance(streamed.train, StreamedSet)
    assert isinstance(streamed.test, StreamedSet)
    assert (streamed.channels, streamed.image_size) == (1, 8)
    assert (len(streamed.train), len(streamed.test)) == (24, 6)
    assert default_augmentation(streamed) == Augmentation(resized_crop=True, flip=True)
    images, labels = epoch(streamed)[0]
    assert images.shape == (6, 1, 8, 8)
    assert labels.shape == (6,)


def test_the_middle_of_an_epoch_is_bit_exact_and_workers_change_nothing(
    streamed: ImageData,
) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    whole = epoch(streamed)
    assert len(whole) == 4
    assert same(epoch(streamed, start=2), whole[2:])
    assert same(epoch(streamed, workers=1), whole)
    assert torch.get_rng_state().equal(before)
    assert not same(epoch(streamed, seed=2), whole)
    gc.collect()


def test_ranks_together_make_the_whole(streamed: ImageData) -> None:
    whole = epoch(streamed)
    ranks = [epoch(streamed, rank=rank, world_size=2) for rank in range(2)]
    joined = [
        (torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]]))
        for first, second in zip(*ranks, strict=True)
    ]
    assert same(joined, whole)


def test_the_same_image_is_seen_differently_in_each_epoch(streamed: ImageData) -> None:
    batches = Batches(streamed.train, 6, seed=1, stream="w", augment=TRAIN, mean=(0.0,), std=(1.0,))
    first, second = next(batches.epoch(0))[0], next(batches.epoch(1))[0]
    assert all(not a.equal(b) for a, b in zip(first, second, strict=True))


def test_each_image_has_its_own_draws(write_folder: Callable[..., Path], monkeypatch: Any) -> None:
    monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 100)
    alike = Image.radial_gradient("L")
    data = load(str(write_folder({"auk": 8, "owl": 8}, draw=lambda _: alike)), image_size=8)
    views = torch.cat([images for images, _ in epoch(data, shuffle=False)])
    assert len(views.flatten(1).unique(dim=0)) == len(data.train)


def test_without_augmentation_the_centre_is_seen(streamed: ImageData) -> None:
    batches = Batches(streamed.test, 6, seed=1, stream="test", mean=(0.0,), std=(1.0,))
    (images, labels) = next(batches.epoch(0))
    assert torch.equal(torch.as_tensor(labels), streamed.test.labels)
    # A margin of 8/7 is cut off: the darkest and the brightest rows of the gradient are not seen.
    spread = (images[:, 0, -1, 0] - images[:, 0, 0, 0]) * 255
    assert ((spread > 85) & (spread < 105)).all()
    assert images.std(dim=3).max() < 1e-6


def test_a_streamed_set_can_be_split(streamed: ImageData) -> None:
    weights, alpha = search_split(streamed.train)
    assert isinstance(weights, StreamedSet)
    assert (len(weights), len(alpha)) == (12, 12)
    labels = torch.cat([weights.labels, alpha.labels])
    assert labels.sort().values.equal(streamed.train.labels.sort().values)


def test_padded_crops_of_a_streamed_set(streamed: ImageData) -> None:
    images, _ = epoch(streamed, augment=Augmentation(crop_padding=8), shuffle=False)[0]
    black = -streamed.mean[0] / streamed.std[0]
    assert (images[:, 0].flatten(1) - black).abs().min(dim=1).values.max() < 1e-5


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_in_one_line(
    write_folder: Callable[..., Path], monkeypatch: Any, workers: int
) -> None:
    folder = write_folder({"auk": 40, "owl": 40})
    monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 100)
    monkeypatch.setattr(loading, "_PROBED", 1)
    data = load(str(folder), limit=64)
    assert isinstance(data.train, StreamedSet)
    for file in (folder / "owl").iterdir():
        file.write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"^\S*owl/\d+\.png is not a readable image: replace") as e:
        epoch(data, workers=workers, shuffle=True)
    assert "\n" not in str(e.value)
    gc.collect()


def test_sizes_that_differ_need_an_image_size(
    write_folder: Callable[..., Path], monkeypatch: Any, picture: Callable[..., Any]
) -> None:
    monkeypatch.setattr(loading, "STREAM_ABOVE_BYTES", 100)
    folder = write_folder(
        {"auk": 5, "owl": 5}, draw=lambda index: picture(index, size=(6 + index % 2,) * 2)
    )
    with pytest.raises(DataError, match=r"differ in size \(6x6 and 7x7\).*--image-size$"):
        load(str(folder))
