"""Latency of calls, measured alone or interleaved."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_MIN_REPEATS = 5
"""Least number of measurements."""


@dataclass(frozen=True)
class Timing:
    """Median and interquartile range of repeated calls, in milliseconds."""

    median_ms: float
    spread_ms: float
    repeats: int


def measure(
    call: Callable[[], object], *, warmup: int = 5, repeats: int = 30, seconds: float = 2.0
) -> Timing:
    """Measure the latency of `call` after `warmup` calls that do not count.

    There are `repeats` measurements, or fewer after `seconds`, but at least five. A call of less
    than 0.1 ms is repeated between two readings of the clock. `spread_ms` is the interquartile
    range.
    """
    (timing,) = benchmark_interleaved([call], warmup=warmup, repeats=repeats, seconds=seconds)
    return timing


def benchmark_interleaved(
    calls: Sequence[Callable[[], object]],
    *,
    warmup: int = 5,
    repeats: int = 30,
    seconds: float = 2.0,
) -> list[Timing]:
    """Measure several calls in turns, so that other load of the machine slows all of them alike.

    The arguments are those of `measure`; `seconds` is the limit of one call. Each call runs once
    more before it is timed: the others have filled the caches in between, and small networks take
    twice as long with cold caches.
    """
    inner = [_warm(call, warmup) for call in calls]
    taken: list[list[float]] = [[] for _ in calls]
    over = time.perf_counter() + seconds * len(calls)
    for done in range(repeats):
        if done >= _MIN_REPEATS and time.perf_counter() >= over:
            break
        for call, times, found in zip(calls, inner, taken, strict=True):
            if len(calls) > 1:
                call()
            began = time.perf_counter()
            for _ in range(times):
                call()
            found.append(1e3 * (time.perf_counter() - began) / times)
    return [_summary(found) for found in taken]


def _warm(call: Callable[[], object], warmup: int) -> int:
    """Run the warm-up calls; return the number of calls between two readings of the clock."""
    once = 0.0
    for _ in range(max(warmup, 1)):
        began = time.perf_counter()
        call()
        once = time.perf_counter() - began
    return max(1, int(1e-4 / max(once, 1e-7)))


def _summary(taken: list[float]) -> Timing:
    low, median, high = np.quantile(taken, (0.25, 0.5, 0.75)).tolist()
    return Timing(median, high - low, len(taken))
