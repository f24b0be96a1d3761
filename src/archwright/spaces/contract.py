"""What a space and its skeleton ask of each other: sizes, and cells to be placed."""

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
"""Numbers from here on are slips: the graph of such a network takes minutes to be made."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a network of a space is.

    `channels` is the width at full resolution; what `cells` counts is the skeleton's to say
    (cells a stage in nasbench201, all cells in darts, all blocks in spos). None is above `MOST`.
    """

    channels: int
    cells: int
    classes: int = 10
    image_size: int = 32
    image_channels: int = 3

    def __post_init__(self) -> None:
        """Check that every number is positive, and not beyond what any network has.

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
        """The shape of an input image."""
        return Shape(self.image_channels, self.image_size, self.image_size)

    @property
    def text(self) -> str:
        """The size in words, as every verdict says what its costs were counted at."""
        channels, height, width = self.image
        return (
            f"channels {self.channels}, cells {self.cells}, classes {self.classes}, "
            f"images {channels}x{height}x{width}"
        )


class PlaceCell(Protocol):
    """Makes the cell at a place of the skeleton, searchable or found; and the task's head."""

    @property
    def searched(self) -> bool:
        """Whether the cells are still being searched."""
        ...

    def __call__(
        self, kind: str, step: str, inputs: tuple[Expr, ...], widths: tuple[int, ...], site: Site
    ) -> Cell:
        """A cell of `kind` whose preprocessed inputs have `widths` channels.

        `site` gives the cell's own width (`c_out`) and the stride of the edges that leave inputs.
        """
        ...

    def finish(self, features: Features) -> Network:
        """Return the network of the trunk with the head of the task behind it."""
        ...


class Skeleton(Protocol):
    """How cells are put together to a network."""

    def cells(self, size: Size) -> Mapping[str, CellSpec]:
        """The kinds of cells, in the order in which they are decided."""
        ...

    def build(self, size: Size, place: PlaceCell) -> Network:
        """The network of the given size, its cells made by `place`.

        Raises:
            ConfigError: there is no network of this size.
        """
        ...

    def auxiliary_after(self, size: Size) -> str:
        """The name of the step that an auxiliary classifier reads while training."""
        ...
