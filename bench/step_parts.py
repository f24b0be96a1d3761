"""Parts of the time of a step: python bench/step_parts.py [--space darts].

A step of the discrete network, and of the supernet as written, fused, and simplified and fused, all
channels-last, on the CPU by one thread: the processor time of each ATen call, summed up by kind.
What is computed a second time in backward counts as backward. Of several steps the fastest counts.
The rows are written as JSON, from which bench/tables.py makes a table.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from archwright.bench.engine.results import Results, write_results
from archwright.bench.instruments.threads import processor, threads
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.interleaved import BenchmarkedNetwork
from archwright.bench.supernet.networks import build_networks, make_batch
from archwright.engine.device import describe_hardware, versions
from archwright.spaces import get_space

RESULTS = Path(__file__).parent / "results" / "step-parts.json"
AROUND = "around the calls: Python and autograd"
KINDS = {
    "batch norms": ("native_batch_norm", "native_batch_norm_backward"),
    "ReLUs": ("relu", "relu_", "threshold_backward"),
    "pools": ("max_pool2d", "avg_pool2d", "mean"),
    "padding, joining, rearranging": (
        *("constant_pad_nd", "clone", "copy_", "cat", "stack", "slice_backward", "zeros_like"),
        *("fill_", "zero_", "new_zeros", "flip"),
    ),
    "sums and products": ("add", "mul", "mm", "bmm", "matmul", "addcmul", "sum", "neg"),
}
"""The kinds of calls that are no convolutions, by how their names begin; the first that fits."""
CONVOLUTIONS = ("depthwise convolutions", "other convolutions")
REST = "views and all else"


class Clock(TorchDispatchMode):
    """Clock of the milliseconds and calls of each kind, apart in forward and in backward."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = "forward"
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.calls: defaultdict[tuple[str, str], int] = defaultdict(int)

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        started = time.thread_time_ns()
        made = func(*args, **(kwargs or {}))
        spent = time.thread_time_ns() - started
        kind = kind_of(func._schema.name.removeprefix("aten::"), args)
        self.spent[kind, self.phase] += spent / 1e6
        self.calls[kind, self.phase] += 1
        return made


def kind_of(name: str, args: Sequence[Any]) -> str:
    """Return the kind of a call."""
    if name in ("convolution", "convolution_backward"):
        kernel = args[1 if name == "convolution" else 2]
        return CONVOLUTIONS[0 if len(kernel) > kernel.shape[1] == 1 else 1]
    fits = (kind for kind, starts in KINDS.items() if name.startswith(starts))
    return next(fits, REST)


def measure(
    network: BenchmarkedNetwork, images: torch.Tensor, labels: torch.Tensor, repeats: int
) -> list[dict[str, Any]]:
    """Return a row for each kind and phase of the fastest of `repeats` steps, after one not timed.

    The last row is what a step takes beyond its calls when nothing times them.
    """

    def step(clock: Clock | None = None) -> None:
        loss = functional.cross_entropy(network.scores(images), labels)
        if clock is not None:
            clock.phase = "backward"
        loss.backward()
        network.clear_gradients()

    clocks: list[Clock] = []
    for _ in range(1 + repeats):
        with Clock() as clock:
            step(clock)
        clocks.append(clock)
    whole = min(_milliseconds(step) for _ in range(repeats))
    clock = min(clocks[1:], key=lambda clock: sum(clock.spent.values()))
    rows = [
        {
            "kind": f"{kind}, {phase}",
            "ms": clock.spent[kind, phase],
            "calls": clock.calls[kind, phase],
        }
        for kind in (*CONVOLUTIONS, *KINDS, REST)
        for phase in ("forward", "backward")
    ]
    around = max(whole - sum(clock.spent.values()), 0.0)
    rows = [*rows, {"kind": AROUND, "ms": around, "calls": 0}]
    return [{"variant": network.variant.name, **row} for row in rows]


def _milliseconds(step: Callable[[], object]) -> float:
    started = time.thread_time_ns()
    step()
    return (time.thread_time_ns() - started) / 1e6


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="darts", help="a space of networks on 32 x 32 images")
    parser.add_argument("--channels", type=int, default=16, help="channels of the first cells")
    parser.add_argument("--cells", type=int, default=8, help="cells")
    parser.add_argument("--batch-size", type=int, default=16, help="images")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each network")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file to write")
    given = parser.parse_args(words)
    config = SupernetConfig(
        space=given.space,
        channels=given.channels,
        cells=given.cells,
        batch_size=given.batch_size,
        simplify="none/fused,all",
        device="cpu",
    )
    device, space = torch.device("cpu"), get_space(given.space)
    images, labels = make_batch(config, space, device)
    images = images.contiguous(memory_format=torch.channels_last)
    rows: list[dict[str, Any]] = []
    with threads(1):
        for network in build_networks(config, space, device):
            network.set_memory_format("channels_last")
            rows += measure(network, images, labels, given.repeats)
    settings = {name: getattr(given, name) for name in ("space", "channels", "cells", "batch_size")}
    results = Results(
        command="python bench/step_parts.py",
        settings={**settings, "repeats": given.repeats, "cpu": processor()},
        versions=versions(),
        hardware=describe_hardware(device),
        threads=1,
        rows=rows,
    )
    write_results(given.out, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
