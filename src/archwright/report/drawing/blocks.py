"""Drawing of a network that is a chain of blocks, in rows from left to right, the first row on top.

Steps whose outputs have the same shape stand in one row, so that a row is a stage of the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

from markupsafe import Markup

from archwright.report.drawing.palette import Palette, family
from archwright.report.drawing.svg import clean, drawing, label, num, tag

CHAR = 6.7  # width of a character of the candidate's name (monospaced, 11 px)
GAP = 16.0  # between the blocks of a row, px
HEIGHT = 58.0
ROW_GAP = 22.0
MAX_WIDTH = 1080.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Step of the chain, as text.

    Attributes:
        words: its expression, such as `mb6 5x5 s2`.
        size: the channels and pixels of its output, such as `64 ch, 16x16`.
        costs: its parameters and multiply-accumulates.
        candidate: the selected candidate; empty for a step that nothing was selected for.
    """

    name: str
    words: str
    size: str = ""
    costs: str = ""
    candidate: str = ""

    @property
    def text(self) -> str:
        """Expression and size, as a screen reader reads them."""
        return ", ".join(filter(None, (self.words, self.size)))


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """Block with its place: the upper left corner, and its width."""

    block: Block
    x: float
    y: float
    width: float


def draw_blocks(blocks: Sequence[Block], palette: Palette) -> Markup:
    """Draw a chain of blocks, first to last."""
    placed = _place(blocks)
    return drawing(
        max(one.x + one.width for one in placed) + 1,
        placed[-1].y + HEIGHT + 1,
        "chain of blocks: " + "; ".join(f"{block.name}: {block.text}" for block in blocks),
        *(_arrow(before, after) for before, after in pairwise(placed)),
        *(_box(one, palette) for one in placed),
        class_="cell strip",
    )


def _place(blocks: Sequence[Block]) -> list[_Placed]:
    """Return each block with its place; a stage that is wider than the page takes several rows."""
    selected = max(_width(block) for block in blocks if block.candidate)
    placed: list[_Placed] = []
    y = 1.0
    for _, stage in groupby(blocks, key=lambda block: block.size):
        x = 1.0
        for block in stage:
            width = selected if block.candidate else _width(block)
            if x > 1 and x + width > MAX_WIDTH:
                x, y = 1.0, y + HEIGHT + ROW_GAP
            placed.append(_Placed(block=block, x=x, y=y, width=width))
            x += width + GAP
        y += HEIGHT + ROW_GAP
    return placed


def _width(block: Block) -> float:
    return max(len(block.words), len(block.size)) * CHAR + 18


def _arrow(before: _Placed, after: _Placed) -> str:
    """Return the arrow to the right, or from the end of a row to the start of the next row."""
    if before.y == after.y:
        path = f"M{num(before.x + before.width + 3)} {num(before.y + HEIGHT / 2)}h9m-4 -4l4 4l-4 4"
    else:
        start, end = before.x + before.width / 2, after.x + after.width / 2
        path = (
            f"M{num(start)} {num(before.y + HEIGHT)}v{num(ROW_GAP / 2)}H{num(end)}"
            f"V{num(after.y - 3)}m-4 -4l4 4l4 -4"
        )
    return tag("path", class_="next", d=path)


def _box(placed: _Placed, palette: Palette) -> str:
    block, x, y, width = placed.block, placed.x, placed.y, placed.width
    middle = x + width / 2
    told = "; ".join(filter(None, (f"{block.name}: {block.text}", block.costs)))
    name = block.name.removeprefix("block")
    parts = [
        tag("title", escape(clean(told))),
        tag("rect", x=x, y=y, width=width, height=HEIGHT, rx=8),
        label(x + 9, y + 14, name, class_="index"),
        label(middle, y + 28, block.words),
    ]
    if block.size:
        parts.append(label(middle, y + 41, block.size, class_="size"))
    if not block.candidate:
        return tag("g", *parts, class_="block")
    bar = tag("rect", class_="key", x=x + 9, y=y + 47, width=width - 18, height=4, rx=2)
    return tag(
        "g",
        *parts,
        bar,
        class_=f"block {family(block.candidate)}",
        style=f"--c:{palette[block.candidate]}",
        data_edge=block.name,
    )
