"""Configuration of a build."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from archwright.backends.formats import Weights
from archwright.backends.registry import Format, check_format, get_backend
from archwright.cost.registry import Targets, get_cost, target_costs
from archwright.engine.options import require, require_not_negative, require_positive
from archwright.errors import unknown
from archwright.nas.budget.options import LimitOptions, require_sources
from archwright.nas.methods import METHODS
from archwright.pipeline.presets import Preset
from archwright.pruning.config import FusionName
from archwright.training.config import Rival


@dataclass(frozen=True, kw_only=True)
class BuildConfig(Targets, LimitOptions):
    """From images to a file that fits: search, train, prune, export and measure, in one run."""

    out: Path
    """The folder to write: a run folder for each stage, the exported file and the page."""
    space: str = "nasbench201"
    """nasbench201, darts, spos, or a Python file that declares a space."""
    method: str = "diffgraph"
    """The search method, as archwright search has it."""
    preset: Preset = "paper"
    """Settings of all stages: paper (search and training as published, for a GPU), proxy (an hour
    or so on two cores), or tiny (a minute or two, for a thousand small images). What is given
    beside it counts."""
    channels: int | None = None
    """Width of the final network, which budgets count for (else the preset's or the space's)."""
    cells: int | None = None
    """Its depth, in the space's own count (else the preset's or the space's)."""
    search_channels: int | None = None
    """Width of the supernet (else the preset's or the space's)."""
    search_cells: int | None = None
    """Depth of the supernet (else the preset's or the space's)."""
    search_epochs: int | None = None
    """Epochs of the search (else the preset's)."""
    supernets: int = 1
    """Supernets that are trained one after the other, and decide together."""
    epochs: int | None = None
    """Epochs of the training (else the preset's)."""
    finetune_epochs: int | None = None
    """Epochs of fine-tuning after nodes were deleted (else the preset's); 0: none."""
    batch_size: int | None = None
    """Images a step of every stage (else the preset's)."""
    against: tuple[Rival, ...] = ()
    """Networks trained beside it with the same recipe: hand-made (at the same MACs), random."""
    fusion: FusionName = "linear+se"
    """What stands in for a deleted node: see archwright prune."""
    format: Format = "onnx"
    """Format of the exported file."""
    weights: Weights = "float32"
    """Type of weights and features; int8 quantises them after training, where the format has it."""

    def __post_init__(self) -> None:
        """Check each option, and the relations between them.

        Raises:
            ConfigError: one is out of range, or two contradict each other (the flags are named).
        """
        super().__post_init__()
        require_positive(self, "channels", "cells", "search_channels", "search_cells")
        require_positive(self, "search_epochs", "epochs", "batch_size", "supernets")
        require_positive(self, *target_costs())
        require_not_negative(self, "finetune_epochs")
        for name in self.against:
            known = get_args(Rival)
            require(name in known, unknown("network for --against", name, known))
        require(len(set(self.against)) == len(self.against), "--against names a network twice")
        require(self.method in METHODS, unknown("method", self.method, METHODS))
        check_format(self.format, self.weights, self.file)
        require(self.devices == 1, "build runs in one process: leave --devices out")
        require(
            self.prunes or self.finetune_epochs is None,
            "--finetune-epochs is of no use where nothing is pruned: give --macs 0.8 with it",
        )
        self._check_sources()

    def _check_sources(self) -> None:
        if not self.profiles:
            require_sources(self)
        else:
            require(
                get_backend(self.format).runtime == "onnxruntime",
                f"--max-latency-ms is measured here with onnxruntime, and --format {self.format} "
                f"runs with another: give a --latency-table that archwright profile measured",
            )

    @property
    def file(self) -> Path:
        """The exported file."""
        return self.out / f"model{get_backend(self.format).suffix}"

    @property
    def page(self) -> Path:
        """Path of the report."""
        return self.out / "report.html"

    @property
    def targets(self) -> dict[str, float]:
        """Values of the given pruning targets, by the cost's name."""
        given = {name: getattr(self, name) for name in target_costs()}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def prunes(self) -> bool:
        """Whether nodes are deleted after the training."""
        return bool(self.targets)

    @property
    def profiles(self) -> bool:
        """Whether this machine is measured, because no other source of latencies is given."""
        given = self.latency_device is not None or self.latency_table is not None
        costs = [get_cost(name) for name in self.limits]
        measured = [cost for cost in costs if cost.kind == "measured"]
        return bool(measured) and all(cost.profiled for cost in measured) and not given
