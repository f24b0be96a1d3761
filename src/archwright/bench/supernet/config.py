"""Configuration of the study of supernets."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from archwright.bench.engine.arms import Lowering
from archwright.bench.engine.command import command_line
from archwright.bench.supernet.variants import Variant, external_variant, parse_variants
from archwright.engine.options import (
    Precision,
    require,
    require_kinds,
    require_positive,
    require_threads,
)


@dataclass(frozen=True, kw_only=True)
class SupernetConfig:
    """Measure memory and time of a supernet's training step, stage by stage of its simplification.

    All rows are measured in turns in one process: the discrete network of the same skeleton, the
    supernet with each candidate computed as written, and the simplifications asked for. First
    bytes, operators and multiply-accumulates are counted, then steps are timed, round by round.
    With a file to write to, a bench that was stopped goes on where it was.
    """

    space: str = "nasbench201"
    """nasbench201, darts, another known space, or a Python file that declares one."""
    channels: int | None = None
    """Width at full resolution (else the space's own for a search)."""
    cells: int | None = None
    """Depth, in the space's own count (else the space's own for a search)."""
    image_size: int | None = None
    """Side of an image in pixels (else the space's)."""
    batch_size: int = 16
    """Images a step."""
    simplify: str = "pms,pms+fms,pms+fms+merge,all"
    """A row for each of these simplifications, separated by commas; none/fused or all/naive name
    the lowering of that row."""
    lowering: Lowering = "fused"
    """How rows that do not say it are lowered."""
    beside: Path | None = None
    """A Python file that builds the same supernet by other code, for a row of its own: its function
    supernet(size, device) gives a module and what is searched, as bench/original_darts.py does."""
    recompute: bool = False
    """Let fused rows compute more a second time in backward, and keep less."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:1."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed for autocast."""
    repeats: int = 20
    """Timed steps of each row; 0 to count only, which needs no idle machine."""
    peaks: bool = True
    """Measure by how much memory grows in a step, too, when steps are timed."""
    threads: int | None = None
    """Threads on the CPU (else PyTorch's own choice)."""
    seed: int = 0
    """Seed of weights and images."""
    out: Path | None = None
    """File for the rows, with settings, versions and hardware, also to go on with (else none)."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a row is unknown.
        """
        require_kinds(self)
        require_positive(self, "channels", "cells", "image_size", "batch_size")
        require(self.repeats >= 0, f"--repeats must be 0 or above, got {self.repeats}")
        require_threads(self)
        require(0 <= self.seed < 2**32, f"--seed must be 0 to 2^32 - 1, got {self.seed}")
        if self.out is not None:
            require(not self.out.is_dir(), f"--out {self.out} is a folder: name a file")
        _ = self.variants

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Return the rows, in their order."""
        discrete, *rest = parse_variants(self.simplify, self.lowering, recompute=self.recompute)
        return (discrete, *([] if self.beside is None else [external_variant(self.beside)]), *rest)

    def settings(self) -> dict[str, Any]:
        """Return every setting that decides a row, as JSON holds it."""
        left_out = ("out", "beside", "repeats", "peaks")  # a row says what was measured of it
        held = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        return {**held, "beside": None if self.beside is None else self.beside.name}

    def command(self) -> str:
        """Return the command line that measures this again."""
        return command_line("supernet", self, always=("space",))
