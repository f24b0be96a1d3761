"""Configuration of the study of profiled tables."""

from dataclasses import dataclass, replace
from pathlib import Path

from archwright.bench.engine.command import command_line
from archwright.engine.options import require, require_kinds, require_positive


@dataclass(frozen=True, kw_only=True)
class ProfileBenchConfig:
    """Time random networks as a whole, and compare with the sum over a profiled table."""

    table: Path
    """The table that archwright profile wrote on this machine."""
    space: str = "nasbench201"
    """The space that was profiled."""
    channels: int | None = None
    """Width of the networks, as profiled (else as published)."""
    cells: int | None = None
    """Their depth, as profiled (else as published)."""
    image_size: int | None = None
    """Side of an image in pixels, as profiled (else the space's)."""
    image_channels: int = 3
    """Channels of an image, as profiled."""
    classes: int = 10
    """Outputs of the classifier, as profiled."""
    networks: int = 50
    """Networks that are timed, others than the table was fitted to."""
    seed: int = 1
    """Seed of their draw."""
    repeats: int = 30
    """Times that each is measured, in turns."""
    out: Path | None = None
    """File for the results."""

    def __post_init__(self) -> None:
        """Check each number.

        Raises:
            ConfigError: one is out of range.
        """
        require_kinds(self)
        require_positive(self, "channels", "cells", "image_size", "image_channels")
        require_positive(self, "classes", "repeats")
        require(self.networks >= 2, "--networks must be 2 or more")
        require(self.seed > 0, "--seed must be 1 or more: the networks of 0 were fitted to")

    def command(self) -> str:
        """Return the command line that measures this again, beside the table."""
        beside = replace(self, table=Path(self.table.name))
        return command_line("profile", beside, always=("table", "space"))
