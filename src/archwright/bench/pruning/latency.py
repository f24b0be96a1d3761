"""Latency of pruned networks in onnxruntime, timed in turns with the unpruned one."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from archwright.backends import Session, to_onnx
from archwright.graph import Shape
from archwright.io.files import write_bytes
from archwright.lowering import GraphModule

_BEFORE = 3
"""Calls that are not timed, before those that are."""
_IMAGE = "image"


def write_onnx(path: Path, network: GraphModule) -> None:
    """Write a network to be timed."""
    write_bytes(path, to_onnx(network, {_IMAGE: json.dumps(network.network.image)}))


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Measure the milliseconds of each call; a round makes every call once.

    Rounds go through the calls in one direction and back, so that a drift of the machine affects
    all calls equally. Each call is made once more before it is timed, because the other calls have
    filled the caches.
    """
    for call in calls.values():
        for _ in range(_BEFORE):
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds):
        for name in list(calls)[:: -1 if turn % 2 else 1]:
            calls[name]()
            began = time.perf_counter()
            calls[name]()
            taken[name].append(1e3 * (time.perf_counter() - began))
    return taken


def latencies(
    whole: Path,
    files: Mapping[str, Path],
    *,
    batches: Sequence[int],
    rounds: int,
    threads: int,
) -> dict[str, list[dict[str, float]]]:
    """Return for each file and number of images its median, the median of `whole`, and their ratio.

    The ratio is the median over the rounds: a slow round slows down both.

    Raises:
        ConfigError: onnxruntime is not installed.
        RunError: a file is damaged.
    """
    sessions = {n: Session(path, threads=threads) for n, path in {"": whole, **files}.items()}
    image = Shape(*json.loads(sessions[""].metadata[_IMAGE]))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in files}
    for batch in batches:
        calls = {name: session.call(image, batch=batch) for name, session in sessions.items()}
        taken = interleaved(calls, rounds)
        for name in files:
            ratios = [own / other for own, other in zip(taken[name], taken[""], strict=True)]
            found[name].append(
                {
                    "batch": batch,
                    "rounds": rounds,
                    "ms": round(median(taken[name]), 4),
                    "unpruned_ms": round(median(taken[""]), 4),
                    "time_ratio": round(median(ratios), 4),
                }
            )
    return found
