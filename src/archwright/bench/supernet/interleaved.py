"""Interleaved measurement of networks, so that a drift of the machine affects all equally."""

import gc
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.bench.instruments.counting import aten_ops, forward_macs, launches
from archwright.bench.instruments.peak import Peak, peak_growth
from archwright.bench.supernet.measurements import Measurement, rounds
from archwright.bench.supernet.variants import Variant
from archwright.cost import saved_bytes
from archwright.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEFAULT = "contiguous"
"""The memory format in which all is counted; PyTorch's own."""
FORMATS = {DEFAULT: torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(kw_only=True, eq=False)
class BenchmarkedNetwork:
    """Network of an interleaved benchmark.

    Attributes:
        variant: its row.
        module: its weights.
        scores: function from images [B, C, H, W] to class scores [B, classes].
        searched: tensors that a search learns beside the weights; empty without decisions.
    """

    variant: Variant
    module: nn.Module
    scores: Callable[[Tensor], Tensor]
    searched: Sequence[Tensor] = ()
    memory_format: str = DEFAULT

    def set_memory_format(self, memory_format: str) -> None:
        """Lay the weights out in memory in the named format."""
        self.memory_format = memory_format
        self.module.to(memory_format=FORMATS[memory_format])  # pyright: ignore[reportCallIssue]

    def clear_gradients(self) -> None:
        """Free all gradients."""
        self.module.zero_grad(set_to_none=True)
        for tensor in self.searched:
            tensor.grad = None


class InterleavedBenchmark:
    """Benchmark of networks on the same images, in turns.

    `advance` is called after every step, `note` with a text for each phase.
    """

    def __init__(
        self,
        fabric: "Fabric",
        networks: Sequence[BenchmarkedNetwork],
        images: Tensor,
        labels: Tensor,
        *,
        advance: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.fabric, self.networks, self.labels = fabric, networks, labels
        self._images = {
            name: images.contiguous(memory_format=layout) for name, layout in FORMATS.items()
        }
        self._advance, self._note = advance, note

    @staticmethod
    def count_steps(measured: Sequence[Measurement], networks: int, repeats: int) -> int:
        """Return the number of calls of `advance`, given the previous measurements."""
        left = max(repeats - rounds(measured), 0)
        first = 1 if all(one.memory_format for one in measured) and measured else 1 + len(FORMATS)
        return networks * ((not measured) + (left + first if left else 0))

    def count(self, network: BenchmarkedNetwork) -> Measurement:
        """Count bytes, operators and multiply-accumulates, in PyTorch's own memory format."""
        network.set_memory_format(DEFAULT)
        module, device = network.module, self.fabric.device

        def forward() -> Tensor:
            return self._loss(network)

        resident = [*module.parameters(), *module.buffers(), *network.searched]
        saved = saved_bytes(forward, resident)
        macs = forward_macs(forward) // len(self.labels)
        ops_forward, ops = aten_ops(forward)
        launched = launches(lambda: forward().backward(), device)
        network.clear_gradients()
        gc.collect()
        self._advance()
        searched = {id(tensor) for tensor in network.searched}
        return Measurement(
            variant=network.variant,
            saved_bytes=saved,
            aten_ops_forward=ops_forward,
            aten_ops=ops,
            launches=launched,
            macs=macs,
            params=sum(p.numel() for p in module.parameters() if id(p) not in searched),
        )

    def time(self, measured: Sequence[Measurement], repeats: int) -> Generator[list[Measurement]]:
        """Time up to `repeats` rounds, a step of each network; yield all measurements after each.

        Each network runs in the memory format in which it is faster, and that is known first.
        """
        known = list(measured)
        missing = range(rounds(known), repeats)
        if not missing:
            return
        with _no_garbage_collection():
            if all(one.memory_format for one in known):
                self._note("first steps, which are not timed")
                for one, network in zip(known, self.networks, strict=True):
                    network.set_memory_format(one.memory_format or DEFAULT)
                    self._timed(network)
            else:
                self._choose_formats()
                pairs = zip(known, self.networks, strict=True)
                known = [replace(one, memory_format=e.memory_format) for one, e in pairs]
                yield known
            for number in missing:
                self._note(f"timing {len(self.networks)} networks, round {number + 1}/{repeats}")
                pairs = zip(known, self.networks, strict=True)
                known = [replace(m, seconds=(*m.seconds, self._timed(e))) for m, e in pairs]
                yield known

    def _choose_formats(self) -> None:
        """Lay each network out in its faster format: the first step of each does not count."""
        self._note("choosing the faster memory format of each network")
        taken: dict[tuple[BenchmarkedNetwork, str], float] = {}
        for network in self.networks:
            for name in (DEFAULT, *FORMATS):
                network.set_memory_format(name)
                taken[network, name] = self._timed(network)
        for network in self.networks:
            network.set_memory_format(min(FORMATS, key=lambda name, e=network: taken[e, name]))

    def peak(self, network: BenchmarkedNetwork) -> Peak:
        """Measure the growth of memory in a step; a step before it allocates what stays."""
        self._loss(network).backward()
        network.clear_gradients()
        peak = peak_growth(lambda: self._loss(network).backward(), self.fabric.device)
        network.clear_gradients()
        return peak

    def _loss(self, network: BenchmarkedNetwork) -> Tensor:
        images = self._images[network.memory_format]
        with self.fabric.autocast():
            return CLASSIFICATION.loss(network.scores(images), self.labels)

    def _timed(self, network: BenchmarkedNetwork) -> float:
        """Measure the seconds of one step."""
        gc.collect()
        seconds = _seconds(lambda: self._loss(network).backward(), self.fabric.device)
        network.clear_gradients()
        self._advance()
        return seconds


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Collect garbage inside only on demand; objects that exist before are not collected."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        with torch.cuda.device(device):  # events are recorded where one is now
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            step()
            end.record()
            torch.cuda.synchronize()
            return start.elapsed_time(end) / 1e3
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
