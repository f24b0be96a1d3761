"""Networks that are measured in turns, so that whatever drifts on a machine meets all of them."""

import gc
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.bench.counting import aten_ops, forward_macs, launches
from archwright.bench.peak import Peak, peak_growth
from archwright.bench.rows import Measured, rounds
from archwright.bench.variants import Variant
from archwright.cost import saved_bytes
from archwright.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEFAULT = "contiguous"
"""The memory format in which all is counted; PyTorch's own."""
FORMATS = {DEFAULT: torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(kw_only=True, eq=False)
class Entrant:
    """A network in the contest.

    Attributes:
        variant: its row.
        module: its weights.
        scores: what it makes of images [B, C, H, W]: [B, classes].
        searched: what a search learns beside the weights; nothing without decisions.
    """

    variant: Variant
    module: nn.Module
    scores: Callable[[Tensor], Tensor]
    searched: Sequence[Tensor] = ()
    memory_format: str = DEFAULT

    def lay_out(self, memory_format: str) -> None:
        """Lay the weights out in memory as the name says."""
        self.memory_format = memory_format
        self.module.to(memory_format=FORMATS[memory_format])  # pyright: ignore[reportCallIssue]

    def forget_gradients(self) -> None:
        """Free all gradients."""
        self.module.zero_grad(set_to_none=True)
        for tensor in self.searched:
            tensor.grad = None


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
    def length(measured: Sequence[Measured], entrants: int, repeats: int) -> int:
        """How often `advance` will be called, where so much has been measured before."""
        left = max(repeats - rounds(measured), 0)
        first = 1 if all(one.memory_format for one in measured) and measured else 1 + len(FORMATS)
        return entrants * ((not measured) + (left + first if left else 0))

    def count(self, entrant: Entrant) -> Measured:
        """All that can be counted, in PyTorch's own memory format."""
        entrant.lay_out(DEFAULT)
        module, device = entrant.module, self.fabric.device

        def forward() -> Tensor:
            return self._loss(entrant)

        resident = [*module.parameters(), *module.buffers(), *entrant.searched]
        saved = saved_bytes(forward, resident)
        macs = forward_macs(forward) // len(self.labels)
        ops_forward, ops = aten_ops(forward)
        launched = launches(lambda: forward().backward(), device)
        entrant.forget_gradients()
        gc.collect()
        self._advance()
        searched = {id(tensor) for tensor in entrant.searched}
        return Measured(
            variant=entrant.variant,
            saved_bytes=saved,
            aten_ops_forward=ops_forward,
            aten_ops=ops,
            launches=launched,
            macs=macs,
            params=sum(p.numel() for p in module.parameters() if id(p) not in searched),
        )

    def time(self, measured: Sequence[Measured], repeats: int) -> Generator[list[Measured]]:
        """Time rounds, a step of each entrant, up to `repeats` of them; what is known after each.

        Each entrant runs in the memory format in which it is faster, and that is known first.
        """
        known = list(measured)
        missing = range(rounds(known), repeats)
        if not missing:
            return
        with _no_garbage_collection():
            if all(one.memory_format for one in known):
                self._note("first steps, which are not timed")
                for one, entrant in zip(known, self.entrants, strict=True):
                    entrant.lay_out(one.memory_format or DEFAULT)
                    self._timed(entrant)
            else:
                self._choose_formats()
                pairs = zip(known, self.entrants, strict=True)
                known = [replace(one, memory_format=e.memory_format) for one, e in pairs]
                yield known
            for number in missing:
                self._note(f"timing {len(self.entrants)} networks, round {number + 1}/{repeats}")
                pairs = zip(known, self.entrants, strict=True)
                known = [replace(m, seconds=(*m.seconds, self._timed(e))) for m, e in pairs]
                yield known

    def _choose_formats(self) -> None:
        """Lay each entrant out in its faster format: the first step of each does not count."""
        self._note("choosing the faster memory format of each network")
        taken: dict[tuple[Entrant, str], float] = {}
        for entrant in self.entrants:
            for name in (DEFAULT, *FORMATS):
                entrant.lay_out(name)
                taken[entrant, name] = self._timed(entrant)
        for entrant in self.entrants:
            entrant.lay_out(min(FORMATS, key=lambda name, e=entrant: taken[e, name]))

    def peak(self, entrant: Entrant) -> Peak:
        """How far memory grows in a step; one before it allocates what stays."""
        self._loss(entrant).backward()
        entrant.forget_gradients()
        peak = peak_growth(lambda: self._loss(entrant).backward(), self.fabric.device)
        entrant.forget_gradients()
        return peak

    def _loss(self, entrant: Entrant) -> Tensor:
        images = self._images[entrant.memory_format]
        with self.fabric.autocast():
            return CLASSIFICATION.loss(entrant.scores(images), self.labels)

    def _timed(self, entrant: Entrant) -> float:
        """Seconds of one step."""
        gc.collect()
        seconds = _seconds(lambda: self._loss(entrant).backward(), self.fabric.device)
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
