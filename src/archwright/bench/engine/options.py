"""Options that all studies of whole runs have."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from archwright.bench.engine.arms import parse_seeds
from archwright.bench.engine.command import PLACES
from archwright.engine.options import (
    Precision,
    require,
    require_kinds,
    require_positive,
    require_threads,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Options of a study of whole runs: device, images, and the folders of runs and results."""

    lists: ClassVar[tuple[str, ...]] = ("seeds",)
    """Options that say which rows there are; all others are alike for every row."""
    filename: ClassVar[str]
    """Of the results, in the folder of the runs."""

    seeds: str = "0-4"
    """Seeds, such as 0-4 or 0,2,100-104."""
    data: str = "cifar10"
    """Images: cifar10, digits, or anything that a search takes."""
    data_root: Path | None = None
    """Folder in which a plain name is looked for before the hub (else $ARCHWRIGHT_DATA)."""
    test_limit: int | None = None
    """Score on so many of the test images, a fixed sample (else on all)."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:1."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed for autocast."""
    threads: int | None = None
    """Threads on the CPU (else PyTorch's own choice)."""
    runs: Path
    """Folder for the run folders."""
    out: Path | None = None
    """File for the results (else one in the folder of the runs)."""

    def __post_init__(self) -> None:
        """Check each option by itself; a subclass adds its own.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        require_kinds(self)
        require_positive(self, "test_limit")
        require_threads(self)
        require(not self.file.is_dir(), f"--out {self.file} is a folder: name a file")
        _ = self.all_seeds

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Return the seeds, each once."""
        return parse_seeds(self.seeds)

    @property
    def file(self) -> Path:
        """Return the results file."""
        return self.out or self.runs / self.filename

    @classmethod
    def of(cls, settings: Mapping[str, Any], **lists: Any) -> Self:
        """Make the configuration from recorded settings, ignoring those that are no options."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: settings[name] for name in names & settings.keys()}, **lists)

    def settings(self) -> dict[str, Any]:
        """Return every setting that is equal for all rows and decides a result."""
        left_out = (*self.lists, *PLACES)
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}

    def conditions(self, device: "torch.device") -> dict[str, Any]:
        """Return the fields of `Conditions` of a measurement on `device`.

        The command is written when there is something to repeat.
        """
        import torch

        from archwright.engine.device import describe_hardware, versions

        count = torch.get_num_threads()
        return {
            "command": "",
            "settings": replace(self, device=device.type, threads=count).settings(),
            "versions": versions(),
            "hardware": describe_hardware(device),
            "threads": count,
        }


@dataclass(frozen=True, kw_only=True)
class SearchBenchOptions(BenchOptions):
    """Options of a study of supernets on the NAS-Bench-201 space."""

    preset: str = "proxy"
    """paper (each method as published) or proxy (minutes a search on two cores)."""
    channels: int | None = None
    """Width of the supernet (else the preset's)."""
    cells: int | None = None
    """Cells a stage (else the preset's)."""
    epochs: int | None = None
    """Epochs of a search (else the preset's)."""
    batch_size: int | None = None
    """Images a step (else the preset's)."""
    limit: int | None = None
    """Use so many of the training images (else the preset's)."""
    test_limit: int | None = 1000
    """Score what a search found on so many held-out images; the tables do not show it."""

    def __post_init__(self) -> None:
        """Check each option by itself.

        Raises:
            ConfigError: as in BenchOptions.
        """
        super().__post_init__()
        require_positive(self, "channels", "cells", "epochs", "batch_size", "limit")

    def shared(self) -> dict[str, Any]:
        """Return the options that every search has."""
        names = ("data", "data_root", "test_limit", "device", "precision")
        names += ("channels", "cells", "epochs", "batch_size", "limit")
        return {name: getattr(self, name) for name in names}
