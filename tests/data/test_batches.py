from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from archwright.data import Augmentation, Batches, MemorySet
from archwright.errors import DataError

FULL = Augmentation(crop_padding=2, flip=True, cutout=4)


class Labelled(Batches):
    """Batches whose targets are labels."""

    @override
    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in super().epoch(epoch, start):
            assert isinstance(labels, Tensor)
            yield images, labels


def make(images: MemorySet, size: int = 8, **options: Any) -> Labelled:
    defaults: dict[str, Any] = {
        "seed": 3,
        "stream": "weights",
        "augment": FULL,
        "shuffle": True,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.25, 0.5),
    }
    return Labelled(images, size, **(defaults | options))


def same(first: list[tuple[Tensor, Tensor]], second: list[tuple[Tensor, Tensor]]) -> bool:
    return len(first) == len(second) and all(
        a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(first, second, strict=True)
    )


def test_an_epoch_entered_in_the_middle_is_bit_exact(memory_set: MemorySet) -> None:
    whole = list(make(memory_set).epoch(2))
    for start in range(len(whole) + 1):
        torch.rand(start)  # whatever else is drawn must not matter
        assert same(list(make(memory_set).epoch(2, start)), whole[start:])


def test_the_global_generator_is_neither_read_nor_moved(memory_set: MemorySet) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = list(make(memory_set).epoch(0))
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    assert same(list(make(memory_set).epoch(0)), first)


@pytest.mark.parametrize("change", [{"seed": 4}, {"stream": "alpha"}, {"epoch": 1}])
def test_seed_stream_and_epoch_each_change_order_and_augmentation(
    memory_set: MemorySet, change: dict[str, Any]
) -> None:
    change = dict(change)
    epoch = change.pop("epoch", 0)
    for shuffle in (True, False):
        images, labels = next(make(memory_set, shuffle=shuffle).epoch(0))
        others, other_labels = next(make(memory_set, shuffle=shuffle, **change).epoch(epoch))
        assert labels.equal(other_labels) is not shuffle
        assert not images.equal(others)


def test_an_epoch_holds_each_image_once(memory_set: MemorySet) -> None:
    seen = torch.cat([labels for _, labels in make(memory_set).epoch(0)])
    assert not seen.equal(torch.arange(50))
    assert seen.sort().values.equal(torch.arange(50))


def test_lengths_with_and_without_the_last_batch(memory_set: MemorySet) -> None:
    kept, dropped = make(memory_set), make(memory_set, drop_last=True)
    assert [len(labels) for _, labels in kept.epoch(0)] == [8] * 6 + [2]
    assert [len(labels) for _, labels in dropped.epoch(0)] == [8] * 6
    assert (len(kept), len(dropped)) == (7, 6)


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_ranks_together_make_the_batches_of_one_process(
    memory_set: MemorySet, world_size: int
) -> None:
    whole = list(make(memory_set).epoch(1))
    ranks = [
        list(make(memory_set, rank=rank, world_size=world_size).epoch(1))
        for rank in range(world_size)
    ]
    for part in ranks:
        assert [len(labels) for _, labels in part[:6]] == [8 // world_size] * 6
    joined = [
        (torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts]))
        for parts in zip(*ranks, strict=True)
    ]
    assert same(joined, whole)


def test_images_are_normalised_to_float32(memory_set: MemorySet) -> None:
    images, labels = next(make(memory_set, augment=None, shuffle=False).epoch(0))
    mean = torch.tensor([0.5, 0.4, 0.3], dtype=torch.float64).view(-1, 1, 1)
    std = torch.tensor([0.2, 0.25, 0.5], dtype=torch.float64).view(-1, 1, 1)
    expected = (memory_set.images[:8].double() / 255 - mean) / std
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert (images.double() - expected).abs().max() < 1e-6


def test_padding_is_black_and_cutout_is_the_mean() -> None:
    white = MemorySet(torch.full((4, 1, 8, 8), 255, dtype=torch.uint8), torch.arange(4))
    options: dict[str, Any] = {"mean": (0.5,), "std": (0.25,), "size": 4}
    padded, _ = next(make(white, augment=Augmentation(crop_padding=4), **options).epoch(0))
    assert sorted(padded.unique().tolist()) == [-2.0, 2.0]
    cut, _ = next(make(white, augment=Augmentation(cutout=4), **options).epoch(0))
    assert sorted(cut.unique().tolist()) == [0.0, 2.0]


def test_each_batch_and_each_image_has_its_own_draws() -> None:
    alike = MemorySet(
        torch.arange(100).byte().view(1, 1, 10, 10).repeat(40, 1, 1, 1), torch.arange(40)
    )
    views = torch.cat(
        [images for images, _ in make(alike, 20, shuffle=False, mean=(0.0,), std=(1.0,)).epoch(0)]
    )
    # 25 crops, 2 sides and 100 centres: two images of 40 alike are rare, batches alike are not.
    assert len(views.flatten(1).unique(dim=0)) > 35


def test_the_images_themselves_stay_as_they_were(memory_set: MemorySet) -> None:
    before = memory_set.images.clone()
    for _ in make(memory_set).epoch(0):
        pass
    assert memory_set.images.equal(before)


def test_a_set_on_a_device_is_moved_once(memory_set: MemorySet) -> None:
    batches = make(memory_set, device="cpu")
    first = memory_set._on(torch.device("cpu"))
    list(batches.epoch(0))
    assert memory_set._on(torch.device("cpu"))[0] is first[0]


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (64, {"drop_last": True}, r"^a batch of 64 is larger than the 50 images"),
        (0, {}, r"^a batch of 0 images is empty"),
        (9, {"world_size": 2}, r"^a batch of 9 does not divide over 2 processes: use a multiple"),
        (8, {"world_size": 2, "rank": 2}, r"^rank 2 is not among 2 processes: ranks are 0 to 1$"),
        (8, {"mean": (0.5,)}, r"^3 channels cannot be normalised by 1 means and 3 deviations"),
        (8, {"augment": Augmentation(resized_crop=True)}, r"^random resized crops need a streamed"),
    ],
)
def test_what_cannot_be_batched_is_refused(
    memory_set: MemorySet, size: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make(memory_set, size, **options)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2), r"^images are torch.float32 \(2, 3, 4, 4\)"),
        (torch.zeros(2, 3, 4, 5).byte(), torch.zeros(2), r"give uint8 \[N, C, H, W\], square$"),
        (torch.zeros(2, 3, 4, 4).byte(), torch.zeros(3), r"^2 images have 3 labels"),
    ],
)
def test_a_set_of_the_wrong_shape_is_refused(images: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        MemorySet(images, labels)
