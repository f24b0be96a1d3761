"""Fixed partitions. Their seeds are constants, so every run and every method has the same ones."""

import torch
from torch import Tensor

from archwright.data import counter_rng
from archwright.data.image_sets import ImageSet
from archwright.errors import DataError

SEARCH_SPLIT_SEED = 20
HOLDOUT_SEED = 21
SUBSET_SEED = 22
TEST_SHARE = 0.2


def search_split(
    image_set: ImageSet, *, fraction: float = 0.5, seed: int = SEARCH_SPLIT_SEED
) -> tuple[ImageSet, ImageSet]:
    """Return the training images in two parts: one to train the weights, one to train alpha.

    The first part contains `fraction` of the images, in a permutation that depends on `seed` alone:
    a constant apart from the run's own seed, so that runs differ in everything but their data.
    Raises DataError if a part would be empty.
    """
    order = counter_rng.permutation(counter_rng.key(seed, "search split"), len(image_set))
    cut = round(len(image_set) * fraction)
    if not 0 < cut < len(image_set):
        raise DataError(
            f"{len(image_set)} images cannot be split at {fraction:g} into weights and alpha: "
            "use more images, or a larger --limit"
        )
    return image_set.subset(order[:cut]), image_set.subset(order[cut:])


def holdout(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return indices of the training and test images of a set that has no test split.

    A fifth of each class of `labels`, int64 [N], is held out, and at least one image; a class of a
    single image stays in training. Both are in ascending order; the choice depends on `labels`
    alone.
    """
    order = _shuffled(len(labels))
    shuffled = labels[order]
    held = [
        order[places[: _fifth(len(places))]]
        for places in (torch.where(shuffled == label)[0] for label in labels.unique())
    ]
    test = torch.cat([*held, order[:0]]).sort().values
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[test] = False
    return torch.where(kept)[0], test


def digits_holdout(count: int) -> tuple[Tensor, Tensor]:
    """Return indices as `holdout`, but of all images together: the split of every published score
    on digits.
    """
    order = _shuffled(count)
    held = _fifth(count)
    return order[held:].sort().values, order[:held].sort().values


def _shuffled(count: int) -> Tensor:
    return counter_rng.permutation(counter_rng.key(HOLDOUT_SEED, "holdout"), count)


def _fifth(count: int) -> int:
    return max(1, round(count * TEST_SHARE)) if count > 1 else 0


def subset_indices(count: int, limit: int | None) -> Tensor:
    """Return indices of at most `limit` of `count` images, ascending.

    A larger limit includes all indices of a smaller one. Raises DataError for a limit below 1.
    """
    if limit is None:
        return torch.arange(count)
    if limit < 1:
        raise DataError(f"a limit of {limit} images leaves none: give at least 1")
    order = counter_rng.permutation(counter_rng.key(SUBSET_SEED, "subset"), count)
    return order[:limit].sort().values
