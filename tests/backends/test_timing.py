"""Latencies are medians of interleaved calls, after warm-up calls."""

from collections.abc import Callable

import pytest

from archwright.backends import benchmark_interleaved, measure


class Clock:
    """Time that passes only while something is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.order: list[str] = []
        monkeypatch.setattr("archwright.backends.timing.time.perf_counter", lambda: self.now)

    def call(self, name: str, *seconds: float):
        """Takes these times one after the other, then the last one."""
        left = list(seconds)

        def run() -> None:
            self.order.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_median_after_calls_that_do_not_count(clock: Clock) -> None:
    timing = measure(clock.call("a", 9, 9, 0.001, 0.002, 0.003, 0.004, 0.005), warmup=2, repeats=5)
    assert timing.median_ms == pytest.approx(3)
    assert timing.spread_ms == pytest.approx(2)  # from 2 to 4
    assert timing.repeats == 5
    assert clock.order == ["a"] * 7


def test_calls_take_turns(clock: Clock) -> None:
    one, two = benchmark_interleaved(
        [clock.call("a", 0.001), clock.call("b", 0.004)], warmup=1, repeats=6
    )
    assert clock.order == ["a", "b", *["a", "a", "b", "b"] * 6]
    assert (one.median_ms, two.median_ms) == (pytest.approx(1), pytest.approx(4))


def test_a_call_is_timed_with_warm_caches(clock: Clock) -> None:
    last = ""

    def call(name: str) -> Callable[[], None]:
        def run() -> None:
            nonlocal last
            clock.now += 0.001 if last == name else 0.002
            last = name

        return run

    timings = benchmark_interleaved([call("a"), call("b"), call("c")], warmup=1, repeats=5)
    assert [timing.median_ms for timing in timings] == [pytest.approx(1)] * 3


def test_a_slow_call_is_timed_five_times(clock: Clock) -> None:
    assert measure(clock.call("a", 10.0), warmup=1, repeats=30, seconds=2.0).repeats == 5
    assert measure(clock.call("a", 0.5), warmup=1, repeats=30, seconds=4.0).repeats == 8


def test_a_quick_call_is_repeated_between_two_readings_of_the_clock(clock: Clock) -> None:
    timing = measure(clock.call("a", 1e-5), warmup=1, repeats=5)
    assert timing.median_ms == pytest.approx(0.01)
    assert len(clock.order) in (1 + 5 * 9, 1 + 5 * 10)
