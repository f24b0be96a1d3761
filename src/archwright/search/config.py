"""The configuration of a search."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from archwright.runs.options import RunOptions, require, require_positive
from archwright.search.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class SearchConfig(RunOptions):
    """Search an architecture by gradient descent. What is not given is as the method published."""

    out: Path
    """The run folder."""
    space: str = "nasbench201"
    """nasbench201, darts, spos, or a Python file that declares a space."""
    method: str = "darts"
    """How alpha becomes weights, and what trains it."""
    channels: int | None = None
    """Width of the supernet at full resolution."""
    cells: int | None = None
    """Depth: cells a stage in nasbench201, cells in all in darts, blocks in spos."""
    epochs: int | None = None
    """Passes over the weights' half of the training images."""
    batch_size: int | None = None
    """Images a step, over all processes."""
    lr: float | None = None
    """Highest learning rate of the weights."""
    lr_min: float | None = None
    """Learning rate of the weights at the end."""
    momentum: float | None = None
    """Momentum of the weights' SGD."""
    nesterov: bool | None = None
    """Nesterov's momentum."""
    weight_decay: float | None = None
    """Weight decay of the weights."""
    clip: float | None = None
    """Largest gradient norm of the weights."""
    warmup_epochs: float | None = None
    """Epochs over which the weights' rate rises from zero."""
    alpha_lr: float | None = None
    """Learning rate of alpha (Adam)."""
    alpha_betas: tuple[float, float] | None = None
    """Adam's decay rates for alpha."""
    alpha_weight_decay: float | None = None
    """Weight decay of alpha."""
    alpha_init: float | None = None
    """Standard deviation of the initial alpha."""
    alpha_start: int | None = None
    """Epoch from which on alpha learns."""
    alpha_first: bool | None = None
    """Whether a step trains alpha before the weights."""

    def __post_init__(self) -> None:
        """Check each number by itself.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        require_positive(self, "channels", "cells", "epochs", "batch_size", "lr", "alpha_lr")
        require_positive(self, "clip", "limit", "test_limit", "image_size", "devices")
        require(0 <= self.seed < 2**32, f"--seed must be 0 to 2^32 - 1, got {self.seed}")
        for name in ("lr_min", "momentum", "weight_decay", "alpha_weight_decay", "warmup_epochs"):
            value = getattr(self, name)
            flag = "--" + name.replace("_", "-")
            require(value is None or value >= 0, f"{flag} must not be negative, got {value}")

    def recipe(self, published: Recipe) -> Recipe:
        """The published settings, with those given here in their place."""
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        chosen = {name: value for name, value in given.items() if value is not None}
        return Recipe(**{**asdict(published), **chosen})

    def resolved(self, recipe: Recipe, channels: int, cells: int) -> dict[str, Any]:
        """Every setting as it is used, as JSON holds it."""
        return {**self.settings(), **asdict(recipe), "channels": channels, "cells": cells}
