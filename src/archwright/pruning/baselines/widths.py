"""Widths that run fast: the multiples that channels are rounded to.

onnxruntime computes convolutions in blocks of channels, for which their number has to be a
multiple of 4; all others take a path that is several times slower. So a network of odd widths has
fewer multiply-accumulates, and takes longer.
"""


def multiple_of(width: int, round_to: int | None) -> int:
    """What the channels that are left of `width` are a multiple of.

    `round_to`, else by the width: 4 from 8 channels on, and below that any number, since too few
    would be left to choose from.
    """
    if round_to is not None:
        return round_to
    return 4 if width >= 8 else 1


def rounded(channels: int, width: int, round_to: int | None) -> int:
    """The multiple that is nearest to `channels` of `width`: at least one, at most `width`."""
    multiple = multiple_of(width, round_to)
    nearest = (channels + multiple // 2) // multiple * multiple
    return min(max(nearest, multiple), width)
