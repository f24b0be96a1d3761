"""Skeletons: the arrangement of a space's cells to a network.

Legend: C channels of the first stage, N cells, L cells in all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archwright.errors import ConfigError
from archwright.graph import (
    INPUT,
    AvgPool,
    BatchNorm,
    Cell,
    Conv,
    Edge,
    Expr,
    Network,
    ReLU,
    Step,
    chain,
    expression_step,
    name_slots,
)
from archwright.spaces.cells import CellSpec, dense_cell
from archwright.spaces.contract import PlaceCell, Size
from archwright.spaces.operations import Site, factorised_reduction
from archwright.tasks import Features

_LARGE_IMAGE = 96
"""Side in pixels from which the DARTS stem first reduces the image by a factor of eight."""


@dataclass(frozen=True)
class Staged:
    """Stages of N equal cells, a residual block between two (Dong & Yang, NAS-Bench-201, Fig. 1).

    `Size.cells` is the number of cells per stage; `multipliers` are the widths of the stages in
    units of C.
    """

    cell: CellSpec
    kind: str = "cell"
    multipliers: tuple[int, ...] = (1, 2, 4)

    def cells(self, size: Size) -> Mapping[str, CellSpec]:
        """Return one kind of cell for every place."""
        return {self.kind: self.cell}

    def build(self, size: Size, place: PlaceCell) -> Network:
        """Return stem, stages, and a head behind a last activation."""
        made = size.channels * self.multipliers[0]
        steps = [
            expression_step("stem", INPUT, Conv(size.image_channels, made, 3), BatchNorm(made))
        ]
        maps: list[str] = []
        for stage, multiplier in enumerate(self.multipliers):
            width = size.channels * multiplier
            if stage:
                name = f"down{stage}"
                steps.append(Step(name, _residual_block(name, made, width), (steps[-1].name,)))
                made = width
            for position in range(size.cells):
                name = f"cell{stage * size.cells + position}"
                # the joined nodes of the cell before may be wider than the stage
                same = made == width
                given = chain() if same else _adapt(made, width, affine=not place.searched)
                cell = place(self.kind, name, (given,), (width,), Site(width, width))
                steps.append(Step(name, cell, (steps[-1].name,)))
                made = width * len(cell.output)
            maps.append(steps[-1].name)
        neck = (BatchNorm(made), ReLU())
        return place.finish(_features(size, steps, maps, neck=neck, width=made))

    def auxiliary_after(self, size: Size) -> str:
        """Return the last cell before the last stage, if there are several."""
        return f"cell{max(len(self.multipliers) - 1, 1) * size.cells - 1}"


def _residual_block(name: str, c_in: int, c_out: int) -> Cell:
    """Return ReLU-conv-BN twice beside an average pool with a pointwise conv; halves the
    resolution.
    """
    main = chain(
        *(ReLU(), Conv(c_in, c_out, 3, 2), BatchNorm(c_out)),
        *(ReLU(), Conv(c_out, c_out, 3), BatchNorm(c_out)),
    )
    shortcut = chain(AvgPool(2, 2), Conv(c_in, c_out, 1))
    edges = (
        Edge(0, 1, name_slots(main, f"{name}/main")),
        Edge(0, 1, name_slots(shortcut, f"{name}/shortcut")),
    )
    return Cell("residual", (chain(),), 1, edges, (1,))


@dataclass(frozen=True)
class TwoInput:
    """L cells that each read the two cells before them; two of them reduce (Liu et al., DARTS).

    Reductions stand at L/3 and 2L/3; their edges from the inputs have stride 2. Images of 96 pixels
    or more are first reduced by a factor of eight (the paper's ImageNet network).
    """

    normal: CellSpec
    reduce: CellSpec

    def cells(self, size: Size) -> Mapping[str, CellSpec]:
        """Return normal and reduction cells.

        Raises:
            ConfigError: there are too few cells for both kinds.
        """
        if size.cells < 3:
            raise ConfigError(
                f"cells={size.cells} is too few: this space needs 3, one normal and two reductions"
            )
        return {"normal": self.normal, "reduce": self.reduce}

    def build(self, size: Size, place: PlaceCell) -> Network:
        """Return stem, cells, and a head on the features of the last one.

        Raises:
            ConfigError: there are too few cells or channels.
        """
        if size.channels < 2:
            raise ConfigError(
                "channels=1 is too narrow: reductions halve the width, give 2 or more"
            )
        steps, widths, reduced = self._stem(size)
        width = size.channels
        reductions = {size.cells // 3, 2 * size.cells // 3}
        maps: list[str] = []
        for position in range(size.cells):
            if position in reductions:
                maps.append(steps[-1].name)
            kind = "reduce" if position in reductions else "normal"
            stride = 2 if kind == "reduce" else 1
            width *= stride
            name = f"cell{position}"
            before, last = steps[max(len(steps) - 2, 0)], steps[-1]
            affine = not place.searched
            inputs = (
                _adapt(widths[0], width, affine=affine, halve=reduced),
                _adapt(widths[1], width, affine=affine),
            )
            cell = place(kind, name, inputs, (width, width), Site(width, width, stride))
            steps.append(Step(name, cell, (before.name, last.name)))
            widths = (widths[1], width * len(cell.output))
            reduced = kind == "reduce"
        maps.append(steps[-1].name)
        return place.finish(_features(size, steps, maps, width=widths[1]))

    def _stem(self, size: Size) -> tuple[list[Step], tuple[int, int], bool]:
        """Return the first steps, the last two widths, and whether their resolutions differ."""
        width = size.channels
        if size.image_size < _LARGE_IMAGE:
            parts = (Conv(size.image_channels, 3 * width, 3), BatchNorm(3 * width))
            return [expression_step("stem", INPUT, *parts)], (3 * width, 3 * width), False
        half = width // 2
        first = (
            *(Conv(size.image_channels, half, 3, 2), BatchNorm(half), ReLU()),
            *(Conv(half, width, 3, 2), BatchNorm(width)),
        )
        second = (ReLU(), Conv(width, width, 3, 2), BatchNorm(width))
        steps = [
            expression_step("stem0", INPUT, *first),
            expression_step("stem1", "stem0", *second),
        ]
        return steps, (width, width), True

    def auxiliary_after(self, size: Size) -> str:
        """Return the second reduction cell."""
        return f"cell{2 * size.cells // 3}"


def _adapt(c_in: int, c_out: int, *, affine: bool, halve: bool = False) -> Expr:
    """Return the preprocessing of an input: to the cell's width, and to half the resolution."""
    if halve:
        return factorised_reduction(Site(c_in, c_out, 2, searched=not affine))
    return chain(ReLU(), Conv(c_in, c_out, 1), BatchNorm(c_out, affine))


@dataclass(frozen=True)
class Blocks:
    """Chain of blocks, each with a decision of its own (Guo et al., ECCV 2020).

    `depths` are the published numbers of blocks per stage, `multipliers` the widths of the stages
    in units of C. The first block of a stage halves the resolution. `Size.cells` is the number of
    all blocks; a number other than the published one is distributed over the stages in proportion.
    With `residual`, the input of a block is added to its output where width and resolution stay.
    """

    depths: tuple[int, ...]
    multipliers: tuple[float, ...]
    stem: float
    head: float
    stem_stride: int = 2
    residual: bool = False
    bias: bool = False

    def cells(self, size: Size) -> Mapping[str, CellSpec]:
        """Return one kind of cell per block."""
        blocks = sum(self.stages(size.cells))
        return {f"block{position}": dense_cell(1) for position in range(blocks)}

    def stages(self, blocks: int) -> tuple[int, ...]:
        """Return the number of blocks of each stage.

        Raises:
            ConfigError: there are fewer blocks than stages.
        """
        if blocks < len(self.depths):
            raise ConfigError(
                f"cells={blocks} is too few: this space has {len(self.depths)} stages, and each "
                f"needs a block"
            )
        total = sum(self.depths)
        # largest remainder: every stage gets its share rounded down, the rest goes by fraction
        shares = [blocks * depth / total for depth in self.depths]
        counts = [max(1, int(share)) for share in shares]
        while sum(counts) != blocks:
            step = 1 if sum(counts) < blocks else -1
            gaps = [step * (share - count) for share, count in zip(shares, counts, strict=True)]
            allowed = [i for i, count in enumerate(counts) if count + step >= 1]
            counts[max(allowed, key=gaps.__getitem__)] += step
        return tuple(counts)

    def build(self, size: Size, place: PlaceCell) -> Network:
        """Return a strided stem, the blocks, and a pointwise conv before the head.

        Raises:
            ConfigError: there are fewer blocks than stages, or a width does not divide by 4.
        """
        width = max(round(size.channels * self.stem), 1)
        stem = Conv(size.image_channels, width, 3, self.stem_stride)
        steps = [expression_step("stem", INPUT, stem, BatchNorm(width), ReLU())]
        position = 0
        maps: list[str] = []
        for depth, multiplier in zip(self.stages(size.cells), self.multipliers, strict=True):
            wider = _stage_width(size, multiplier)
            for first in range(depth):
                name = f"block{position}"
                site = Site(width, wider, 1 if first else 2)
                cell = place(name, name, (chain(),), (width,), site)
                if self.residual and first and width == wider:
                    cell = replace(cell, edges=(Edge(0, 1, chain()), *cell.edges))
                steps.append(Step(name, cell, (steps[-1].name,)))
                width = wider
                position += 1
            maps.append(steps[-1].name)
        last = max(round(size.channels * self.head), 1)
        neck = (Conv(width, last, 1), BatchNorm(last), ReLU())
        return place.finish(_features(size, steps, maps, neck=neck, width=last, bias=self.bias))

    def auxiliary_after(self, size: Size) -> str:
        """Return the last block before the last stage, if there are several."""
        stages = self.stages(size.cells)
        return f"block{sum(stages[:-1] or stages) - 1}"


def _stage_width(size: Size, multiplier: float) -> int:
    width = round(size.channels * multiplier)
    if width % 4 or width < 4:
        raise ConfigError(
            f"channels={size.channels} makes a stage of {width} channels: shuffle blocks need a "
            f"multiple of 4 (64 is the published width)"
        )
    return width


def _features(size: Size, steps: list[Step], maps: list[str], **published: Any) -> Features:
    """Return what a head may read of these steps."""
    return Features(image=size.image, trunk=tuple(steps), maps=tuple(maps), **published)
