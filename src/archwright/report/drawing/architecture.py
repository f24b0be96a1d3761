"""Drawings of an architecture: each kind of cell, or the network if it is a chain of blocks."""

from itertools import pairwise

from archwright.report.drawing.blocks import Block, draw_blocks
from archwright.report.drawing.cell import Drawing, draw_cell
from archwright.report.drawing.palette import Palette
from archwright.report.reading.read_run import Architecture, Cell


def draw_architecture(architecture: Architecture, palette: Palette) -> list[Drawing]:
    """Return one drawing per kind of cell, or one of the network if every step has its own kind."""
    cells = architecture.cells
    blocks = _blocks(architecture)
    if blocks:
        title = f"{len(cells)} blocks, first to last"
        return [Drawing(title=title, svg=draw_blocks(blocks, palette))]
    return [
        Drawing(title=cell.kind, svg=draw_cell(cell, palette), wide=len(cell.nodes) > 3)
        for cell in cells
    ]


def _blocks(architecture: Architecture) -> list[Block]:
    """Return the steps of a chain of blocks; none if the network has another form.

    If the network's file is missing, only the names of the candidates are known.
    """
    cells = {cell.kind: cell for cell in architecture.cells}
    if len(cells) < 2 or not all(map(_is_block, cells.values())):
        return []
    steps = architecture.steps
    if not steps:
        return [_block(cell.kind, cell) for cell in cells.values()]
    if [step.kind for step in steps if step.kind in cells] != list(cells):
        return []
    if any(step.inputs != (before.name,) for before, step in pairwise(steps)):
        return []
    blocks: list[Block] = []
    for step in steps:
        (given,) = step.input_shapes
        stride = round(given.height / step.shape.height)
        size = f"{step.shape.channels} ch, {step.shape.height}x{step.shape.width}"
        costs = f"{step.params:,} parameters, {step.macs:,} multiply-accumulates"
        if step.kind in cells:
            suffix = f" s{stride}" if stride > 1 else ""
            blocks.append(_block(step.name, cells[step.kind], suffix, size, costs))
        else:
            blocks.append(Block(name=step.name, words=step.text, size=size, costs=costs))
    return blocks


def _is_block(cell: Cell) -> bool:
    return cell.inputs == 1 and len(cell.nodes) == 1 and len(cell.nodes[0]) == 1


def _block(name: str, cell: Cell, suffix: str = "", size: str = "", costs: str = "") -> Block:
    ((candidate, _),) = cell.nodes[0]
    words = candidate.replace("_", " ") + suffix
    return Block(name=name, words=words, size=size, costs=costs, candidate=candidate)
