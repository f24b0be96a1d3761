"""Detection of images without information: all pixels equal."""

from torch import Tensor

from archwright.errors import DataError

_CHUNK = 1024  # images compared at a time
_GRID = 8  # pixels a side that are looked at first: few images are of one colour in these


def require_different(images: Tensor, name: str) -> None:
    """Check that the pixels of images, uint8 [N, C, H, W], are not all equal.

    Raises:
        DataError: they are, and there are several images.
    """
    if same(images) and one_colour(images[:1]):
        raise DataError(
            f"the {len(images):,} training images of {name} are all of one and the same colour: "
            f"look at the files, and at how they are stored"
        )


def same(images: Tensor) -> bool:
    """Return whether images, uint8 [N, C, H, W], are several and all the same picture."""
    parts = images.split(_CHUNK)
    return len(images) > 1 and all(bool((part == images[:1]).all()) for part in parts)


def one_colour(images: Tensor) -> int:
    """Return the number of images, uint8 [N, C, H, W], that have a single colour."""
    steps = [max(1, side // _GRID) for side in images.shape[2:]]
    few = images[:, :, :: steps[0], :: steps[1]]
    return int(_is_flat(images[_is_flat(few)]).sum())


def _is_flat(images: Tensor) -> Tensor:
    return (images == images[:, :, :1, :1]).flatten(1).all(1)
