"""Configuration of the study on the DARTS space: search, then retraining."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from typing_extensions import override

from archwright.bench.engine.arms import RANDOM, Arm, parse_arms
from archwright.bench.engine.command import arm_commands
from archwright.bench.engine.options import BenchOptions
from archwright.engine.options import require_positive
from archwright.nas.config import SearchConfig
from archwright.training.config import TrainConfig

RecipeName = Literal["paper", "short"]
RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # quark0/darts: 16 channels, 8 cells, each method's epochs; then 36 channels, 20 cells
    "paper": ({}, {"epochs": 600}),
    # minutes to an hour on two cores; ours
    "short": (
        {"channels": 8, "cells": 5, "epochs": 3, "limit": 4000, "alpha_lr": 3e-3, "alpha_start": 0},
        {"channels": 12, "cells": 8, "epochs": 10, "limit": 10_000, "auxiliary": 0.0}
        | {"drop_path": 0.0, "test_limit": 2000},
    ),
}
"""What a recipe sets of a search and of a training; all else is as published."""


@dataclass(frozen=True, kw_only=True)
class DartsConfig(BenchOptions):
    """Search the DARTS space and train the architectures found (TopoNAS, Table IV).

    Finished work is kept, and the same command continues after an interruption. No decision of a
    search uses a test image; accuracies are those of the trained networks after their last epoch.
    """

    lists: ClassVar[tuple[str, ...]] = ("methods", "simplify", "seeds")
    filename: ClassVar[str] = "darts-trained.json"

    methods: str = "darts,beta-darts"
    """Search methods, separated by commas; random, which searches nothing, is added."""
    simplify: str = "none,all"
    """Each method is run with each of these simplifications, separated by commas. none is lowered
    as it is written, all else fused; none/fused or all/naive name the lowering."""
    seeds: str = "0"
    """Seeds, such as 0-4 or 0,2,100-104."""
    recipe: RecipeName = "short"
    """paper (search as published; 600 epochs at 36 channels and 20 cells, for a GPU), or short
    (smaller and shorter, for a CPU)."""
    search_channels: int | None = None
    """Width of the supernet (else the recipe's)."""
    search_cells: int | None = None
    """Cells of the supernet (else the recipe's)."""
    search_epochs: int | None = None
    """Epochs of a search (else the recipe's)."""
    search_limit: int | None = None
    """Search on so many of the training images (else the recipe's)."""
    channels: int | None = None
    """Width of the trained network (else the recipe's)."""
    cells: int | None = None
    """Cells of the trained network (else the recipe's)."""
    epochs: int | None = None
    """Epochs of a training (else the recipe's)."""
    limit: int | None = None
    """Train on so many of the training images (else the recipe's)."""
    runs: Path = Path("runs/darts")
    """Folder for the run folders."""

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            ConfigError: one is out of range (its flag is named), or a name is unknown.
        """
        super().__post_init__()
        require_positive(self, "search_channels", "search_cells", "search_epochs", "search_limit")
        require_positive(self, "channels", "cells", "epochs", "limit")
        _ = self.arms

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the methods and supernets of the comparison."""
        return parse_arms(self.methods, self.simplify, "paper", baselines=False)

    @override
    def settings(self) -> dict[str, Any]:
        search, train = RECIPES[self.recipe]
        return {**super().settings(), "options": {"search": search, "train": train}}

    def search(self, one: Arm, seed: int) -> SearchConfig:
        """Return the configuration of one search; an unfinished one is resumed."""
        own = {name: getattr(self, f"search_{name}") for name in _SIZES}
        options = {**RECIPES[self.recipe][0], **_given(own)}
        return SearchConfig(
            **{**self._shared("search", one, seed), **options},
            space="darts",
            method=one.method,
            preset=one.preset,
            simplify=one.simplify,
            lowering=one.lowering,
        )

    def training(self, one: Arm, seed: int) -> TrainConfig:
        """Return the configuration of the training of that search's architecture."""
        own = {name: getattr(self, name) for name in (*_SIZES, "test_limit")}
        options = {**RECIPES[self.recipe][1], **_given(own)}
        found = self.search(one, seed).out
        return TrainConfig(
            **{**self._shared("train", one, seed), **options}, architecture=str(found)
        )

    def _shared(self, kind: str, one: Arm, seed: int) -> dict[str, Any]:
        parts = (kind, one.method, one.supernet.replace("/", "-"), one.preset, self.recipe, seed)
        names = ("data", "data_root", "device", "precision")
        shared = {name: getattr(self, name) for name in names}
        return {
            **shared,
            "seed": seed,
            "resume": True,
            "out": self.runs / "-".join(map(str, parts)),
        }

    @classmethod
    def command(cls, settings: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
        """Return the command lines that measure `rows`, all of these `settings`, again."""
        searched = [
            (row["title"], row["supernet"], row["seed"])
            for row in rows
            if row["method"] != RANDOM  # which takes part in each of them
        ]
        drawn = [(RANDOM, "none", row["seed"]) for row in rows]
        always = ("methods", "simplify", "seeds", "recipe", "data")
        configured = partial(cls.of, settings)
        return arm_commands("darts", configured, searched or drawn, always=always)


_SIZES = ("channels", "cells", "epochs", "limit")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
