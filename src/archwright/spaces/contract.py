"""Contract between a space and its skeleton: sizes, and the placement of cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from archwright.errors import ConfigError
from archwright.graph import Cell, Expr, Network, Shape
from archwright.spaces.cells import CellSpec
from archwright.spaces.operations import Site
from archwright.tasks import Features

MOST = {
    **{"channels": 100_000, "cells": 200},
    **{"classes": 1_000_000, "image_size": 10_000, "image_channels": 1_000},
}
"""Upper limits. A larger value is a typing error: the graph of such a network would take minutes.
"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a network of a space.

    `channels` is the width at full resolution. The skeleton defines the meaning of `cells` (cells
    per stage in nasbench201, all cells in darts, all blocks in spos). No value exceeds `MOST`.
    """

    channels: int
    cells: int
    classes: int = 10
    image_size: int = 32
    image_channels: int = 3

    def __post_init__(self) -> None:
        """Check that every number is positive and not above `MOST`.

        Raises:
            ConfigError: one is not (named).
        """
        for name, most in MOST.items():
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
            if value > most:
                raise ConfigError(f"{name} must be at most {most:,}, got {value:,}")

    @property
    def image(self) -> Shape:
        """Shape of an input image."""
        return Shape(self.image_channels, self.image_size, self.image_size)

    @property
    def text(self) -> str:
        """Size in words, as printed beside costs that were counted at it."""
        channels, height, width = self.image
        return (
            f"channels {self.channels}, cells {self.cells}, classes {self.classes}, "
            f"images {channels}x{height}x{width}"
        )


class PlaceCell(Protocol):
    """Factory of the cells of a skeleton, searchable or found, and of the task's head."""

    @property
    def searched(self) -> bool:
        """Whether the cells are being searched."""
        ...

    def __call__(
        self, kind: str, step: str, inputs: tuple[Expr, ...], widths: tuple[int, ...], site: Site
    ) -> Cell:
        """Return a cell of `kind` whose preprocessed inputs have `widths` channels.

        `site` contains the cell's own width (`c_out`) and the stride of the edges that leave
        inputs.
        """
        ...

    def finish(self, features: Features) -> Network:
        """Return the network of the trunk with the head of the task behind it."""
        ...


class Skeleton(Protocol):
    """Arrangement of cells to a network."""

    def cells(self, size: Size) -> Mapping[str, CellSpec]:
        """Return the kinds of cells, in the order in which they are decided."""
        ...

    def build(self, size: Size, place: PlaceCell) -> Network:
        """Return the network of the given size, with cells made by `place`.

        Raises:
            ConfigError: there is no network of this size.
        """
        ...

    def auxiliary_after(self, size: Size) -> str:
        """Return the name of the step that an auxiliary classifier reads in training."""
        ...
