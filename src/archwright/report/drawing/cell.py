"""Drawings of cells as graphs."""

from collections.abc import Collection
from dataclasses import dataclass

from markupsafe import Markup

from archwright.report.drawing.layout import Wire, column, wires
from archwright.report.drawing.palette import Palette, family
from archwright.report.drawing.svg import drawing, label, num, tag
from archwright.report.reading.read_run import Cell

BOX_W, BOX_H = 52.0, 34.0
LANE = 34.0  # from one lane to the next, px
TURN = 46.0  # how long a line takes to change lanes, px
PORT = 8.0  # between the ends of edges at one node, px
CHAR = 6.7  # width of a character of the operation's name (monospaced, 11 px)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Drawing with its title; a wide one needs the whole width of the page."""

    title: str
    svg: Markup
    wide: bool = True


def draw_cell(cell: Cell, palette: Palette, gone: Collection[int] = ()) -> Markup:
    """Draw one cell, inputs at the left; nodes in `gone` are faint, with their edges."""
    return _Drawing(cell, palette, gone).draw()


def node_name(cell: Cell, node: int) -> str:
    """Return the name of a node: c_{k-2} and c_{k-1} if there are two inputs, else its number."""
    if node < cell.inputs == 2:
        return f"c_{{k-{2 - node}}}"
    return str(node)


class _Drawing:
    """Geometry of one cell."""

    def __init__(self, cell: Cell, palette: Palette, gone: Collection[int]) -> None:
        self.cell, self.palette, self.gone = cell, palette, gone
        self.wires = wires(cell)
        self.concat = len(cell.output) > 1
        longest = max((len(w.op) for w in self.wires), default=4)
        self.gap = longest * CHAR + 72
        above = max([0, *(-w.lane for w in self.wires)])
        below = max([0, *(w.lane for w in self.wires)])
        stack = (cell.inputs - 1) / 2 * LANE * 2
        self.centre = max(above * LANE, stack, BOX_H / 2) + 30
        self.bus = self.centre + max(below * LANE, stack, BOX_H / 2) + 30
        self.columns = 1 + len(cell.nodes) + self.concat
        self.width = (self.columns - 1) * (BOX_W + self.gap) + BOX_W + 4
        self.height = self.bus + (BOX_H / 2 + 2 if self.concat else -6)

    def draw(self) -> Markup:
        """Draw lines first, then boxes, then names on top of both."""
        edges = [self._edge(wire) for wire in self.wires]
        nodes = range(self.cell.inputs + len(self.cell.nodes))
        words = ", ".join(f"{w.op} from {w.source} to {w.target}" for w in self.wires)
        return drawing(
            self.width,
            self.height,
            f"{self.cell.kind}: {words}",
            *([self._bus()] if self.concat else []),
            *(line for line, _ in edges),
            *(self._node(node) for node in nodes),
            *(name for _, name in edges),
            class_="cell",
        )

    def _x(self, col: int) -> float:
        return 2 + BOX_W / 2 + col * (BOX_W + self.gap)

    def _position(self, node: int) -> tuple[float, float]:
        rise = 0.0
        if node < self.cell.inputs:
            rise = (node - (self.cell.inputs - 1) / 2) * LANE * 2
        return self._x(column(self.cell, node)), self.centre + rise

    def _box_height(self, node: int) -> float:
        arriving = sum(w.target == node for w in self.wires)
        leaving = sum(w.source == node for w in self.wires)
        return max(BOX_H, max(arriving, leaving) * PORT + 12)

    def _port(self, wire: Wire, node: int) -> float:
        """Return the y at which `wire` meets `node`: ends are sorted as their lanes are."""
        lanes = sorted(
            w.lane for w in self.wires if node == (w.target if wire.target == node else w.source)
        )
        return self._position(node)[1] + (lanes.index(wire.lane) - (len(lanes) - 1) / 2) * PORT

    def _edge(self, wire: Wire) -> tuple[str, str]:
        """Return the line of an edge, and the name that lies on it."""
        x0 = self._position(wire.source)[0] + BOX_W / 2
        x1 = self._position(wire.target)[0] - BOX_W / 2
        y0, y1 = self._port(wire, wire.source), self._port(wire, wire.target)
        lane = self.centre + wire.lane * LANE if wire.lane else (y0 + y1) / 2
        # Ports are sorted as lanes are and every turn has one shape: edges of a node never cross.
        bend0, bend1 = num(x0 + TURN / 2), num(x1 - 7 - TURN / 2)
        path = (
            f"M{num(x0)} {num(y0)}"
            f"C{bend0} {num(y0)} {bend0} {num(lane)} {num(x0 + TURN)} {num(lane)}"
            f"H{num(x1 - 7 - TURN)}C{bend1} {num(lane)} {bend1} {num(y1)} {num(x1 - 7)} {num(y1)}"
        )
        head = f"M{num(x1 - 8)} {num(y1 - 4)}L{num(x1 - 1)} {num(y1)}L{num(x1 - 8)} {num(y1 + 4)}Z"
        style = f"--c:{self.palette[wire.op]}"
        faint = " gone" if wire.target in self.gone else ""
        class_ = f"edge {family(wire.op)}{faint}"
        line = tag(
            "g",
            tag("path", class_="halo", d=path),
            tag("path", class_="wire", d=path),
            tag("path", class_="head", d=head),
            class_=class_,
            style=style,
            data_edge=f"{wire.source}->{wire.target}",
        )
        middle = (x0 + x1 - 7) / 2
        wide = len(wire.op) * CHAR + 14
        name = tag(
            "g",
            tag("rect", x=middle - wide / 2, y=lane - 10, width=wide, height=20, rx=10),
            label(middle, lane + 4, wire.op),
            class_=f"op {family(wire.op)}{faint}",
            style=style,
        )
        return line, name

    def _node(self, node: int) -> str:
        x, y = self._position(node)
        height = self._box_height(node)
        name = node_name(self.cell, node)
        role = "input" if node < self.cell.inputs else ""
        if self.cell.output == (node,):
            role = "output"
        box = tag("rect", x=x - BOX_W / 2, y=y - height / 2, width=BOX_W, height=height, rx=8)
        if name.startswith("c_"):
            subscript = tag("tspan", name[3:-1].replace("-", "\N{MINUS SIGN}"), dy=4, class_="sub")
            text = tag("text", "c" + subscript, x=x, y=y + 3)
        else:
            text = label(x, y + 5, name)
        caption = [label(x, y + height / 2 + 14, role, class_="caption")] if role else []
        class_ = f"node {role or 'inner'}{' gone' if node in self.gone else ''}"
        return tag("g", box, text, *caption, class_=class_, data_node=str(node))

    def _bus(self) -> str:
        """Return thin lines from each output node to one line, and along it to the concat."""
        end = self._x(self.columns - 1)
        drops = [
            f"M{num(x)} {num(y)}V{num(self.bus - 8)}Q{num(x)} {num(self.bus)} "
            f"{num(x + 8)} {num(self.bus)}H{num(end - BOX_W / 2)}"
            for x, y in map(self._position, self.cell.output)
        ]
        box = tag(
            "rect", x=end - BOX_W / 2, y=self.bus - BOX_H / 2, width=BOX_W, height=BOX_H, rx=8
        )
        node = tag("g", box, label(end, self.bus + 4, "concat"), class_="node concat")
        return tag("path", class_="bus", d="".join(drops)) + node
