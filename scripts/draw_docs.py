"""Draw the pictures of the concept pages: draw_docs.py [FOLDER], by default docs/images.

Cells, edges and costs are those of real graphs. The same code writes the same files, byte for byte;
tests/test_docs.py compares them with the files in the repository.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archwright.cost import cost_model
from archwright.graph import Chain, Choice, Concat, Expr, Op, Shape
from archwright.graph.passes.simplification import explain_expr, simplification
from archwright.graph.traverse import map_edges
from archwright.io.files import write_text
from archwright.report.drawing.cell import draw_cell
from archwright.report.drawing.palette import Palette
from archwright.report.drawing.svg import drawing, label, num, tag
from archwright.report.reading.read_run import Cell
from archwright.spaces import Size, get_space, read_architecture

IMAGES = Path(__file__).parents[1] / "docs" / "images"
STYLE = """
svg { --paper: #fff; --raised: #f6f7f8; --ink: #16191d; --soft: #59616b; --edge: #aeb6bf;
  --conv0: #0072b2; --conv1: #3aa0dc; --pool0: #d55e00; --skip0: #008a64; --none0: #8b929b;
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --paper: #121417; --raised: #1b1e23; --ink: #e8eaed;
  --soft: #9aa3ad; --edge: #535c67; --conv0: #4aa3e0; --conv1: #8fd0f7; --pool0: #f08a3c;
  --skip0: #35c39a; --none0: #7d8691; } }
.ground { fill: var(--paper); }
text { fill: var(--ink); font-size: 13px; }
.title { font-weight: 600; } .soft { fill: var(--soft); font-size: 12px; }
.middle { text-anchor: middle; } .end { text-anchor: end; }
.mono, .op text { font: 11px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; }
.small { font-size: 10px; fill: var(--soft); text-anchor: start; }
.wire { fill: none; stroke: var(--c, var(--edge)); stroke-width: 1.5; }
.head { fill: var(--c, var(--edge)); }
.box { fill: var(--raised); stroke: var(--edge); }
.conv { fill: var(--raised); stroke: var(--conv0); stroke-width: 1.5; }
.frame { fill: none; stroke: var(--conv0); stroke-dasharray: 3 3; }
.heat { fill: var(--conv0); }
.cell .wire { stroke-width: 2; } .cell .halo { fill: none; stroke: var(--paper); stroke-width: 5; }
.cell .edge.none { opacity: .55; }
.cell .op rect { fill: var(--paper); stroke: var(--c); stroke-width: 1.2; }
.cell .node rect { fill: var(--raised); stroke: var(--edge); stroke-width: 1.2; }
.cell .node text { font-size: 14px; font-weight: 600; text-anchor: middle; }
.cell .node .sub { font-size: 9px; font-weight: 400; }
.cell .node .caption { fill: var(--soft); font-size: 11px; font-weight: 400; }
.cell .concat text { font-size: 12px; font-weight: 400; }
.cell .gone { opacity: .3; } .cell .node.gone rect { stroke-dasharray: 3 4; }
.cell .bus { fill: none; stroke: var(--edge); stroke-width: 1.2; }
"""
ROW, GAP, CHAR = 30.0, 12.0, 6.8


@dataclass(frozen=True)
class Block:
    """Part of a picture: its size, and the markup for its left end and the height of its middle."""

    width: float
    height: float
    draw: Callable[[float, float], str]


def picture(title: str, panels: Sequence[tuple[str, Block]]) -> str:
    """Panels one below the other, each under its title."""
    width = max(block.width for _, block in panels) + 24
    y, parts = 0.0, list[str]()
    for text, block in panels:
        head = 30.0 if text else 8.0
        parts += [label(12, y + 20, text, class_="title")] if text else []
        parts.append(block.draw(12, y + head + block.height / 2))
        y += head + block.height + 12
    ground = tag("rect", width=width, height=y, class_="ground")
    svg = str(drawing(width, y, title, tag("style", STYLE), ground, *parts))
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def inline(svg: str, width: float, height: float) -> Block:
    """A finished drawing as a block."""
    return Block(
        width,
        height,
        lambda x, y: tag("g", svg, transform=f"translate({num(x)} {num(y - height / 2)})"),
    )


def cell_block(cell: Cell, gone: tuple[int, ...] = ()) -> Block:
    """A cell as the reports draw it."""
    palette = Palette.of(op for op, _, _ in cell.edges)
    svg = str(draw_cell(cell, palette, gone))
    words = dict(part.split("=", 1) for part in svg[: svg.index(">")].split() if "=" in part)
    return inline(svg, *(float(words[side].strip('"')) for side in ("width", "height")))


def line(x0: float, x1: float, y: float) -> str:
    """A straight wire."""
    return tag("path", d=f"M{num(x0)} {num(y)}H{num(x1)}", class_="wire")


def expression(expr: Expr) -> Block:
    """An expression from left to right: chains in series, choices as parallel lanes."""
    match expr:
        case Op():
            return operation(str(expr), conv=expr.primitive.counted_as == "conv")
        case Chain(items) if items:
            return series([expression(item) for item in items])
        case Chain():
            return Block(30, ROW, lambda x, y: line(x, x + 30, y))
        case Concat(branches):
            return parallel([("", expression(branch)) for branch in branches], "|")
        case Choice(_, options):
            named = [
                (expr.label(o) if len(o.members) == 1 else "", expression(o.body)) for o in options
            ]
            return parallel(named, "\N{GREEK CAPITAL LETTER SIGMA}", merged=expr.form == "kernel")


def operation(text: str, *, conv: bool) -> Block:
    """One module; convolutions have a coloured border."""
    width = len(text) * CHAR + 14

    def draw(x: float, y: float) -> str:
        box = tag("rect", x=x, y=y - 10, width=width, height=20, rx=5)
        name = label(x + width / 2, y + 4, text, class_="mono")
        return box.replace("<rect", f'<rect class="{"conv" if conv else "box"}"') + name

    return Block(width, ROW, draw)


def series(parts: Sequence[Block]) -> Block:
    """Blocks in a row, with wires between them."""

    def draw(x: float, y: float) -> str:
        made: list[str] = []
        for position, part in enumerate(parts):
            made += [line(x - GAP, x, y)] if position else []
            made.append(part.draw(x, y))
            x += part.width + GAP
        return "".join(made)

    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    return Block(width, max(part.height for part in parts), draw)


def parallel(lanes: Sequence[tuple[str, Block]], sign: str, *, merged: bool = False) -> Block:
    """Lanes that read the same input and meet in a sum; `merged` kernels share a frame."""
    heights = [block.height + (10 if name else 0) for name, block in lanes]
    inner = max(max(block.width, len(name) * 5.6) for name, block in lanes)
    width, height = inner + 74, sum(heights) + (16 if merged else 0)

    def draw(x: float, y: float) -> str:
        made: list[str] = []
        top = y - sum(heights) / 2
        start, end = x + 30, x + 30 + inner
        for (name, block), tall in zip(lanes, heights, strict=True):
            middle = top + tall - block.height / 2
            for a, b, u, v in ((x, start, y, middle), (end + 24, end, y, middle)):
                half = num((a + b) / 2)
                path = f"M{num(a)} {num(u)}C{half} {num(u)} {half} {num(v)} {num(b)} {num(v)}"
                made.append(tag("path", d=path, class_="wire"))
            made.append(line(start + block.width, end, middle))
            made.append(block.draw(start, middle))
            made += [label(start, middle - 13, name, class_="small")] if name else []
            top += tall
        knot = tag("circle", cx=end + 33, cy=y, r=9)
        made.append(knot.replace("<circle", '<circle class="box"'))
        made.append(label(end + 33, y + 4, sign, class_="mono"))
        if merged:
            frame = tag(
                "rect", x=x + 4, y=y - height / 2 + 4, width=width - 6, height=height - 8, rx=8
            )
            made.append(frame.replace("<rect", '<rect class="frame"'))
        return "".join(made)

    return Block(width, height, draw)


def flow(boxes: Sequence[tuple[str, ...]], back: str = "") -> Block:
    """Boxes in a row with arrows; the first line of a box is its title, `back` a way back."""
    wide = [max(len(text) for text in box) * 6.6 + 24 for box in boxes]
    tall = max(len(box) for box in boxes) * 18 + 16.0
    arrow = 36.0
    total = sum(wide) + arrow * (len(boxes) - 1)
    height = tall + (44 if back else 0)

    def draw(x: float, y: float) -> str:
        middle, made = y - (22 if back else 0), list[str]()
        centres: list[float] = []
        for position, (box, width) in enumerate(zip(boxes, wide, strict=True)):
            if position:
                made.append(pointer(x - arrow, x, middle))
            shape = tag("rect", x=x, y=middle - tall / 2, width=width, height=tall, rx=8)
            made.append(shape.replace("<rect", '<rect class="box"'))
            first = middle - (len(box) - 1) * 9 + 4
            for row, text in enumerate(box):
                kind = "middle soft" if row else "middle title"
                made.append(label(x + width / 2, first + 18 * row, text, class_=kind))
            centres.append(x + width / 2)
            x += width + arrow
        if back:
            foot, low = middle + tall / 2, middle + tall / 2 + 20
            path = f"M{num(centres[-1])} {num(foot)}V{num(low)}H{num(centres[0])}V{num(foot + 7)}"
            made.append(tag("path", d=path, class_="wire"))
            tip = f"M{num(centres[0] - 4)} {num(foot + 8)}l4 -8l4 8Z"
            made.append(tag("path", d=tip, class_="head"))
            made.append(label(sum(centres) / len(centres), low + 15, back, class_="middle soft"))
        return "".join(made)

    return Block(total, height, draw)


def pointer(x0: float, x1: float, y: float) -> str:
    """An arrow to the right."""
    head = f"M{num(x1 - 8)} {num(y - 4)}l7 4l-7 4Z"
    return line(x0 + 2, x1 - 7, y) + tag("path", d=head, class_="head")


def graph() -> str:
    """A cell of a search space, and one that was found in it."""
    text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    genotype = read_architecture(text).cells["cell"]
    nodes = tuple(tuple((op.candidate, op.source) for op in ops) for ops in genotype.nodes)
    found = Cell(kind="cell", inputs=1, nodes=nodes, output=genotype.output)
    open_ = tuple(tuple(("5 candidates", source) for _, source in node) for node in nodes)
    searched = Cell(kind="cell", inputs=1, nodes=open_, output=genotype.output)
    return picture(
        "A searchable cell and a found cell of NAS-Bench-201",
        [
            ("Search space: each edge is a choice", cell_block(searched)),
            ("Architecture: each edge is one candidate", cell_block(found)),
        ],
    )


def edge_of(space: str, name: str) -> tuple[Expr, Shape]:
    """The expression on a searchable edge, and the shape of its input."""
    found: dict[str, tuple[Expr, Shape]] = {}

    def keep(body: Expr, shape: Shape) -> Expr:
        if isinstance(body, Choice):
            found.setdefault(body.decision.name, (body, shape))
        return body

    map_edges(get_space(space).supernet(Size(channels=16, cells=8, image_size=32)), keep)
    return found[name]


def simplified() -> str:
    """One edge of the DARTS space, before and after each kind of rewriting."""
    stages = {
        stage.stage: stage
        for stage in explain_expr(*edge_of("darts", "normal/0->2"), simplification("all"))
    }
    titles = {
        "original": "As published",
        "fms": "After partial and floating module sharing",
        "merge": "After the linear merge (dashed: one convolution with the sum of kernels)",
    }
    return picture(
        "An edge of the DARTS space before and after simplification",
        [
            (f"{text}: {stages[name].count.total} modules", expression(stages[name].expr))
            for name, text in titles.items()
        ],
    )


def rewired() -> str:
    """A normal cell of DARTS_V2 before and after node 2 is deleted."""
    genotype = read_architecture("darts-v2").cells["normal"]
    nodes = tuple(tuple((op.candidate, op.source) for op in ops) for ops in genotype.nodes)
    fused = ((("weight", 0), ("weight", 1)), *nodes[1:])
    return picture(
        "A normal cell of DARTS_V2 before and after the deletion of node 2",
        [
            (
                "Before: node 2 (faint) is to be deleted",
                cell_block(
                    Cell(kind="normal", inputs=2, nodes=nodes, output=genotype.output), (2,)
                ),
            ),
            (
                "After: the successors of node 2 read its predecessors through a fusion",
                cell_block(Cell(kind="normal", inputs=2, nodes=fused, output=genotype.output)),
            ),
        ],
    )


def cost_table() -> str:
    """Multiply-accumulates of each candidate on each edge of NAS-Bench-201."""
    model = cost_model("macs", get_space("nasbench201"), Size(channels=16, cells=5, image_size=32))
    decisions = model.layout.decisions
    values = model.surrogate.table.tolist()
    top = max(max(row) for row in values)
    left, wide, tall = 92.0, 104.0, 30.0

    def draw(x: float, y: float) -> str:
        y -= (len(decisions) + 1) * tall / 2
        made = [
            label(x + left + (column + 0.5) * wide, y + 18, name, class_="mono")
            for column, name in enumerate(decisions[0].candidates)
        ]
        for row, decision in enumerate(decisions, 1):
            middle = y + row * tall
            made.append(label(x + left - 10, middle + 19, decision.name, class_="end soft"))
            for column, value in enumerate(values[row - 1]):
                place = x + left + column * wide
                box = tag("rect", x=place + 1, y=middle + 1, width=wide - 2, height=tall - 2)
                shade = f'<rect class="heat" opacity="{0.06 + 0.5 * value / top:.2f}"'
                made.append(box.replace("<rect", shade))
                text = f"{value / 1e6:.1f}" if value else "0"
                made.append(label(place + wide / 2, middle + 19, text, class_="middle"))
        return "".join(made)

    table = Block(left + wide * len(values[0]), (len(decisions) + 1) * tall, draw)
    return picture(
        "Multiply-accumulates of every candidate on every edge of NAS-Bench-201",
        [("Millions of multiply-accumulates per candidate, over all 15 cells", table)],
    )


FLOWS: dict[str, tuple[str, tuple[tuple[str, ...], ...], str]] = {
    "concept-build": (
        "The stages of archwright build",
        (
            ("profile", "latency.csv"),
            ("search", "search/"),
            ("train", "network/"),
            ("prune", "pruned/"),
            ("export", "model.onnx"),
            ("report", "report.html"),
        ),
        "",
    ),
    "concept-lowering": (
        "From a graph to a PyTorch module",
        (
            ("graph", "choices, cells, slots"),
            ("plan", "sums as terms,", "equal operations once"),
            ("rewritings", "fold, group,", "recompute"),
            ("kernels", "one call for", "many candidates"),
            ("fused module", "same outputs", "and gradients"),
        ),
        "",
    ),
    "concept-search": (
        "The bilevel search loop",
        (
            ("alpha", "logits [E, O]"),
            ("method", "softmax, samples, ..."),
            ("mixture", "weights and", "log-weights"),
            ("supernet", "one forward pass"),
            ("loss", "of the weights: half A", "of alpha: half B"),
        ),
        "gradient: a step of the weights on half A, a step of alpha on half B",
    ),
    "concept-budgets": (
        "How a budget is held",
        (
            ("before the search", "refuse a limit", "that nothing meets"),
            ("during the search", "augmented Lagrangian", "in the loss of alpha"),
            ("after the search", "best architecture", "within all limits"),
            ("final network", "counted, or measured", "in the exported file"),
        ),
        "",
    ),
}

PICTURES: dict[str, Callable[[], str]] = {
    "concept-graph": graph,
    "concept-simplification": simplified,
    "concept-rewiring": rewired,
    "concept-cost": cost_table,
}


def draw(folder: Path) -> None:
    """Write every picture into `folder`."""
    for name, made in PICTURES.items():
        write_text(folder / f"{name}.svg", made())
    for name, (title, boxes, back) in FLOWS.items():
        write_text(folder / f"{name}.svg", picture(title, [("", flow(boxes, back))]))


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
