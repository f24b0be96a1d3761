"""Learning rates as functions of progress: there is no state to save."""

import math


def cosine(progress: float, high: float, low: float, *, warmup: float = 0.0) -> float:
    """Return a rise from zero over the first `warmup` of a run, then half a cosine from high to
    low.

    `progress` and `warmup` are fractions of the whole run, 0 to 1.
    """
    if progress < warmup:
        return high * progress / warmup
    along = (progress - warmup) / max(1.0 - warmup, 1e-12)
    return low + (high - low) * (1 + math.cos(math.pi * along)) / 2
