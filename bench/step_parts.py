"""What the time of a step is made of: python bench/step_parts.py [--space darts].

A step of the discrete network and one of the simplified supernet, fused, at the sizes of the
standard bench, on the CPU by one thread: the processor time of each ATen call, summed up by kind.
What is computed a second time in backward counts as backward. Processor time hardly depends on
what else a machine does; of several steps the fastest is shown, as a table in Markdown.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from archwright.bench.contest import Entrant
from archwright.bench.entrants import build_entrants, make_batch
from archwright.bench.supernet_config import SupernetConfig
from archwright.lower import Mixture
from archwright.spaces import get_space

BATCH = {"nasbench201": 64}
"""Images in a batch, where they are not 16."""
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
    """Milliseconds and calls of each kind, apart in forward and in backward."""

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
    """The kind of a call."""
    if name in ("convolution", "convolution_backward"):
        kernel = args[1 if name == "convolution" else 2]
        return CONVOLUTIONS[0 if len(kernel) > kernel.shape[1] == 1 else 1]
    fits = (kind for kind, starts in KINDS.items() if name.startswith(starts))
    return next(fits, REST)


def measure(entrant: Entrant, images: torch.Tensor, labels: torch.Tensor, repeats: int) -> Clock:
    """The fastest of `repeats` steps, after one that is not timed."""
    clocks: list[Clock] = []
    for _ in range(1 + repeats):
        with Clock() as clock:
            mixture = None if entrant.logits is None else Mixture.from_logits(entrant.logits)
            scores, _ = entrant.module(images, mixture)
            loss = functional.cross_entropy(scores, labels)
            clock.phase = "backward"
            loss.backward()
        entrant.forget_gradients()
        clocks.append(clock)
    return min(clocks[1:], key=lambda clock: sum(clock.spent.values()))


def table(discrete: Clock, supernet: Clock) -> str:
    """Both side by side, a row for each kind and phase."""
    lines = [
        "| | discrete ms | calls | supernet ms | calls | share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    whole = sum(supernet.spent.values())
    for kind in (*CONVOLUTIONS, *KINDS, REST):
        for phase in ("forward", "backward"):
            key = (kind, phase)
            cells = [f"{kind}, {phase}"]
            for clock in (discrete, supernet):
                cells += [f"{clock.spent[key]:.0f}", f"{clock.calls[key]:,}"]
            lines.append(f"| {' | '.join(cells)} | {supernet.spent[key] / whole:.0%} |")
    totals = [
        f"{sum(c.spent.values()):.0f} | {sum(c.calls.values()):,}" for c in (discrete, supernet)
    ]
    return "\n".join([*lines, f"| **all** | {' | '.join(totals)} | 100% |"])


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="darts", help="a space of networks on 32 x 32 images")
    parser.add_argument("--channels", type=int, default=16, help="channels of the first cells")
    parser.add_argument("--cells", type=int, help="cells (else as the space is searched)")
    parser.add_argument("--batch-size", type=int, help="images (else as in the standard bench)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of each network")
    given = parser.parse_args(words)
    config = SupernetConfig(
        space=given.space,
        channels=given.channels,
        cells=given.cells,
        batch_size=given.batch_size or BATCH.get(given.space, 16),
        simplify="all",
        device="cpu",
    )
    torch.set_num_threads(1)
    device, space = torch.device("cpu"), get_space(given.space)
    images, labels = make_batch(config, space, device)
    images = images.contiguous(memory_format=torch.channels_last)
    found: dict[str, Clock] = {}
    for entrant in build_entrants(config, space, device):
        if entrant.variant.name != "naive":
            entrant.lay_out("channels_last")
            found[entrant.variant.name] = measure(entrant, images, labels, given.repeats)
    print(table(found["discrete"], found["all"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
