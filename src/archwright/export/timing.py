"""How long a call takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """The median of repeated calls in milliseconds, and between which quarters half of them lie."""

    median_ms: float
    spread_ms: float
    repeats: int


def measure(
    call: Callable[[], object], *, warmup: int = 5, repeats: int = 30, seconds: float = 2.0
) -> Timing:
    """Time `call`, after calls that do not count: `repeats` times, or fewer if `seconds` are over.

    What takes less than a tenth of a millisecond is called several times between two looks at the
    clock. `spread_ms` is the interquartile range. At least five times are taken.
    """
    once = 0.0
    for _ in range(max(warmup, 1)):
        began = time.perf_counter()
        call()
        once = time.perf_counter() - began
    inner = max(1, int(1e-4 / max(once, 1e-7)))
    taken: list[float] = []
    over = time.perf_counter() + seconds
    while len(taken) < repeats and (len(taken) < 5 or time.perf_counter() < over):
        began = time.perf_counter()
        for _ in range(inner):
            call()
        taken.append(1e3 * (time.perf_counter() - began) / inner)
    low, median, high = np.quantile(taken, (0.25, 0.5, 0.75)).tolist()
    return Timing(median, high - low, len(taken))
