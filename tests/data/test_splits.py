import pytest
import torch

from archwright.data import MemorySet, search_split
from archwright.data.splits import digits_holdout, holdout, subset_indices
from archwright.errors import DataError


def test_the_search_split_is_fixed_and_holds_each_image_once(memory_set: MemorySet) -> None:
    weights, alpha = search_split(memory_set)
    assert len(weights) == len(alpha) == 25
    both = torch.cat([weights.labels, alpha.labels])
    assert both.sort().values.equal(torch.arange(50))
    # Golden: a change here changes what every published run was searched on.
    assert weights.labels[:8].tolist() == [20, 39, 49, 44, 19, 40, 46, 32]


def test_images_go_with_their_labels(memory_set: MemorySet) -> None:
    weights, _ = search_split(memory_set)
    assert isinstance(weights, MemorySet)
    assert weights.images.equal(memory_set.images[weights.labels])


def test_the_search_split_does_not_see_the_global_generator(memory_set: MemorySet) -> None:
    torch.manual_seed(1)
    first, _ = search_split(memory_set)
    torch.manual_seed(2)
    second, _ = search_split(memory_set)
    assert first.labels.equal(second.labels)


def test_fraction_and_seed_are_honoured(memory_set: MemorySet) -> None:
    weights, alpha = search_split(memory_set, fraction=0.8)
    assert (len(weights), len(alpha)) == (40, 10)
    other, _ = search_split(memory_set, seed=1)
    assert not other.labels.equal(search_split(memory_set)[0].labels)


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.001])
def test_an_empty_part_is_refused(memory_set: MemorySet, fraction: float) -> None:
    with pytest.raises(
        DataError, match=r"^50 images cannot be split at .* use more images, or a larger --limit$"
    ):
        search_split(memory_set, fraction=fraction)


def test_the_holdout_is_a_fifth_of_each_class_and_fixed() -> None:
    labels = torch.arange(100) % 3
    train, test = holdout(labels)
    assert torch.cat([train, test]).sort().values.equal(torch.arange(100))
    assert labels[test].bincount().tolist() == [7, 7, 7]
    assert test.equal(test.sort().values)
    # Golden: a change here changes what every run on a set without a test split was scored on.
    assert test[:6].tolist() == [2, 5, 8, 22, 24, 26]


def test_a_class_of_two_is_scored_and_a_class_of_one_is_trained_on() -> None:
    labels = torch.tensor([0, 1, 1, 2, 2, 2])
    train, test = holdout(labels)
    assert sorted(labels[test].tolist()) == [1, 2]
    assert 0 in labels[train]


def test_a_class_of_no_image_is_no_trouble() -> None:
    train, test = holdout(torch.tensor([5, 5]))
    assert (len(train), len(test)) == (1, 1)
    train, test = holdout(torch.tensor([], dtype=torch.int64))
    assert (len(train), len(test)) == (0, 0)


def test_digits_are_held_out_as_in_every_published_score() -> None:
    train, test = digits_holdout(100)
    assert (len(train), len(test)) == (80, 20)
    assert torch.cat([train, test]).sort().values.equal(torch.arange(100))
    assert test[:6].tolist() == [2, 5, 8, 24, 26, 47]


def test_smaller_subsets_are_parts_of_larger_ones() -> None:
    small, large = subset_indices(1000, 10), subset_indices(1000, 100)
    assert (len(small), len(large)) == (10, 100)
    assert set(small.tolist()) < set(large.tolist())
    assert large.tolist() != list(range(100))
    assert subset_indices(5, 10).tolist() == subset_indices(5, None).tolist() == [0, 1, 2, 3, 4]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(DataError, match=r"^a limit of 0 images leaves none: give at least 1$"):
        subset_indices(10, 0)
