"""Networks that are measured in turns, so that whatever drifts on a machine meets all of them."""

import gc
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.bench.counting import aten_ops, forward_macs, launches
from archwright.bench.peak import Peak, peak_growth
from archwright.bench.rows import Measured
from archwright.bench.variants import Variant
from archwright.cost import saved_bytes
from archwright.lower import Mixture, NaiveNetwork

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
_TRIALS = 2
"""Timed steps of each variant in each memory format, after one that is not timed."""


@dataclass(kw_only=True, eq=False)
class Entrant:
    """A network in the contest; `logits` are those of its mixture, None without decisions."""

    variant: Variant
    module: NaiveNetwork
    logits: nn.Parameter | None
    memory_format: str = "contiguous"
    seconds: list[float] = field(default_factory=list[float])

    def lay_out(self, memory_format: str) -> None:
        """Lay the weights out in memory as the name says."""
        self.memory_format = memory_format
        self.module.to(memory_format=FORMATS[memory_format])  # pyright: ignore[reportCallIssue]

    def forget_gradients(self) -> None:
        """Free all gradients."""
        self.module.zero_grad(set_to_none=True)
        if self.logits is not None:
            self.logits.grad = None


class Contest:
    """Measures entrants on the same images.

    `advance` is called after every step, `note` with what comes next.
    """

    def __init__(
        self,
        fabric: "Fabric",
        entrants: Sequence[Entrant],
        images: Tensor,
        labels: Tensor,
        *,
        advance: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.fabric, self.entrants, self.labels = fabric, entrants, labels
        self._images = {
            name: images.contiguous(memory_format=layout) for name, layout in FORMATS.items()
        }
        self._advance, self._note = advance, note

    @staticmethod
    def length(entrants: int, repeats: int) -> int:
        """How often `advance` will be called."""
        return entrants * (len(FORMATS) * (1 + _TRIALS) + 1 + repeats)

    def run(
        self, repeats: int, peaks: Callable[[Sequence[Entrant]], Sequence[Peak]] | None = None
    ) -> list[Measured]:
        """Choose each entrant's memory format, count what it does, and time `repeats` steps.

        `peaks` says how far memory grows in a step of each entrant (else it is measured here).
        """
        with _no_garbage_collection():
            counted = self._run(repeats)
        self._note("measuring peaks of memory")
        found = peaks(self.entrants) if peaks else [self.peak(one) for one in self.entrants]
        return [finish(peak) for finish, peak in zip(counted, found, strict=True)]

    def _run(self, repeats: int) -> list[Callable[[Peak], Measured]]:
        self._choose_formats()
        self._note("counting operators, bytes and multiply-accumulates")
        counted = [self._counted(entrant) for entrant in self.entrants]
        self._note(f"timing {repeats} steps of {len(self.entrants)} networks in turns")
        for _ in range(repeats):
            for entrant in self.entrants:
                entrant.seconds.append(self._timed(entrant))
        return counted

    def _choose_formats(self) -> None:
        self._note("choosing the faster memory format of each network")
        best: dict[tuple[Entrant, str], float] = {}
        for trial in range(1 + _TRIALS):
            for entrant in self.entrants:
                for name in FORMATS:
                    entrant.lay_out(name)
                    seconds = self._timed(entrant)
                    if trial:
                        key = (entrant, name)
                        best[key] = min(best.get(key, seconds), seconds)
        for entrant in self.entrants:
            entrant.lay_out(min(FORMATS, key=lambda name, e=entrant: best[e, name]))

    def _counted(self, entrant: Entrant) -> Callable[[Peak], Measured]:
        """All that is counted; what is left to give is the peak, when all steps are timed."""
        module, device = entrant.module, self.fabric.device

        def forward() -> Tensor:
            return self._forward(entrant)

        resident = [*module.parameters(), *module.buffers()]
        resident += [] if entrant.logits is None else [entrant.logits]
        saved = saved_bytes(forward, resident)
        macs = forward_macs(forward) // len(self.labels)
        ops_forward, ops = aten_ops(forward)
        launched = launches(lambda: forward().backward(), device)
        entrant.forget_gradients()
        self._advance()
        return lambda peak: Measured(
            variant=entrant.variant,
            memory_format=entrant.memory_format,
            saved_bytes=saved,
            peak_bytes=peak[0],
            peak_missing=peak[1],
            seconds=tuple(entrant.seconds),
            aten_ops_forward=ops_forward,
            aten_ops=ops,
            launches=launched,
            macs=macs,
            params=sum(p.numel() for p in module.parameters()),
        )

    def peak(self, entrant: Entrant) -> Peak:
        """How far memory grows in a step; one before it allocates what stays."""
        self._forward(entrant).backward()
        entrant.forget_gradients()
        peak = peak_growth(lambda: self._forward(entrant).backward(), self.fabric.device)
        entrant.forget_gradients()
        return peak

    def _forward(self, entrant: Entrant) -> Tensor:
        """The loss."""
        mixture = None if entrant.logits is None else Mixture.from_logits(entrant.logits)
        images = self._images[entrant.memory_format]
        with self.fabric.autocast():
            logits, _ = entrant.module(images, mixture)
            return functional.cross_entropy(logits, self.labels)

    def _timed(self, entrant: Entrant) -> float:
        """Seconds of one step."""
        gc.collect()
        seconds = _seconds(lambda: self._forward(entrant).backward(), self.fabric.device)
        entrant.forget_gradients()
        self._advance()
        return seconds


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Inside, garbage is collected only when asked for, and what is there now is none."""
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
