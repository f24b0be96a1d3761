"""Widths that run fast: multiples that numbers of channels are rounded to.

onnxruntime computes convolutions in blocks of channels, for which their number must be a multiple
of 4; any other number takes a path that is several times slower. So a network of odd widths has
fewer multiply-accumulates, but is slower.
"""


def multiple_of(width: int, round_to: int | None) -> int:
    """Return the number that the remaining channels of a layer of `width` must be a multiple of.

    It is `round_to` if given; else 4 from 8 channels on, and 1 below, where too few widths would
    remain to choose from.
    """
    if round_to is not None:
        return round_to
    return 4 if width >= 8 else 1


def rounded(channels: int, width: int, round_to: int | None) -> int:
    """Return the multiple nearest to `channels`: at least one multiple, at most `width`."""
    multiple = multiple_of(width, round_to)
    nearest = (channels + multiple // 2) // multiple * multiple
    return min(max(nearest, multiple), width)
