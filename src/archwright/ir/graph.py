"""Cells and networks: directed acyclic graphs whose edges carry expressions.

A cell's node is the sum of the edges that end in it; a network is a list of steps, each a cell or
a plain expression that reads the outputs of earlier steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from archwright.errors import GraphError
from archwright.ir.expr import Choice, Decision, Expr, Module, choices, is_zero, modules, walk
from archwright.ir.primitive import Shape


@dataclass(frozen=True)
class Edge:
    """A connection of two nodes of a cell, with what is computed on the way."""

    source: int
    target: int
    body: Expr


@dataclass(frozen=True)
class Cell:
    """Nodes 0 .. len(inputs) - 1 are the preprocessed inputs; the others are sums of edges.

    `kind` names the cells that answer their decisions together (`normal`, `reduce`); the nodes in
    `output` are joined along the channels.
    """

    kind: str
    inputs: tuple[Expr, ...]
    nodes: int
    edges: tuple[Edge, ...]
    output: tuple[int, ...]

    def into(self, node: int) -> tuple[Edge, ...]:
        """The edges that end in `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def inner(self) -> range:
        """The nodes that are sums."""
        return range(len(self.inputs), len(self.inputs) + self.nodes)


@dataclass(frozen=True)
class Step:
    """One stage of a network: `body` applied to the outputs of the steps named in `inputs`."""

    name: str
    body: Expr | Cell
    inputs: tuple[str, ...]


INPUT = "input"
"""The name under which a network's steps read the images."""


@dataclass(frozen=True)
class Network:
    """A whole network, from images of shape `image` to the logits of the last step.

    `auxiliary` names a step whose logits join the loss while training (DARTS' auxiliary head).
    """

    image: Shape
    steps: tuple[Step, ...]
    auxiliary: str = ""

    @property
    def output(self) -> str:
        """The step that gives the logits."""
        return self.steps[-1].name

    def expressions(self) -> Iterator[Expr]:
        """Every expression, in the order of evaluation."""
        for step in self.steps:
            if isinstance(step.body, Cell):
                yield from step.body.inputs
                for edge in step.body.edges:
                    yield edge.body
            else:
                yield step.body

    def modules(self) -> Iterator[Module]:
        """Every module, in the order of evaluation."""
        for expr in self.expressions():
            yield from modules(expr)

    def choices(self) -> Iterator[Choice]:
        """Every choice, in the order of evaluation, outer ones first."""
        for expr in self.expressions():
            yield from choices(expr)

    def decisions(self) -> tuple[Decision, ...]:
        """The questions that are open, each once, in the order of evaluation."""
        return tuple(dict.fromkeys(choice.decision for choice in self.choices()))


def map_edges(network: Network, function: Callable[[Expr], Expr]) -> Network:
    """`network` with the expression of every edge of every cell replaced."""

    def mapped(step: Step) -> Step:
        if not isinstance(step.body, Cell):
            return step
        edges = tuple(replace(edge, body=function(edge.body)) for edge in step.body.edges)
        return replace(step, body=replace(step.body, edges=edges))

    return replace(network, steps=tuple(map(mapped, network.steps)))


Visit = Callable[[Module, Shape], object]
"""What is done at a module, given the shape of its input."""


def _ignore(module: Module, shape: Shape) -> None:
    """Visit for those who only want shapes."""


def walk_network(
    network: Network, visit: Visit = _ignore, *, live: bool = False
) -> dict[str, Shape]:
    """Call `visit` on every module (with `live`: that the logits depend on); return step shapes.

    Raises:
        GraphError: shapes disagree; the text names step, edge, candidate and module.
    """
    used = live_parts(network) if live else None
    shapes = {INPUT: network.image}
    for step in network.steps:
        given = [shapes[name] for name in step.inputs]
        parts = None if used is None else used.get(step.name, _DEAD)
        try:
            if isinstance(step.body, Cell):
                shapes[step.name] = walk_cell(step.body, given, visit, parts)
            else:
                shapes[step.name] = walk(step.body, given[0], _ignore if parts is _DEAD else visit)
        except GraphError as error:
            raise GraphError(f"{step.name}: {error}") from None
    return shapes


def walk_cell(
    cell: Cell, shapes: list[Shape], visit: Visit = _ignore, live: "LiveParts | None" = None
) -> Shape:
    """As `walk_network`, for a cell that reads inputs of the given shapes."""
    made: list[Shape] = []
    for position, (expr, shape) in enumerate(zip(cell.inputs, shapes, strict=True)):
        wanted = live is None or position in live.inputs
        made.append(_named(f"input {position}", expr, shape, visit if wanted else _ignore))
    for node in cell.inner():
        ends: set[Shape] = set()
        for position, edge in enumerate(cell.edges):
            if edge.target == node:
                wanted = live is None or position in live.edges
                name = f"edge {edge.source}->{node}"
                ends.add(_named(name, edge.body, made[edge.source], visit if wanted else _ignore))
        if len(ends) != 1:
            sizes = ", ".join("x".join(map(str, end)) for end in sorted(ends)) or "there is none"
            raise GraphError(f"the edges into node {node} disagree: {sizes}")
        made.append(ends.pop())
    joined = [made[node] for node in cell.output]
    if len({shape[1:] for shape in joined}) != 1:
        raise GraphError(f"the output nodes {cell.output} differ in size")
    return Shape(sum(shape.channels for shape in joined), *joined[0][1:])


def _named(name: str, expr: Expr, shape: Shape, visit: Visit) -> Shape:
    try:
        return walk(expr, shape, visit)
    except GraphError as error:
        raise GraphError(f"{name}: {error}") from None


@dataclass(frozen=True)
class LiveParts:
    """The inputs and edges of a step, by position, that the network's logits depend on."""

    inputs: frozenset[int]
    edges: frozenset[int]


_DEAD = LiveParts(frozenset(), frozenset())


def live_parts(network: Network) -> dict[str, LiveParts]:
    """What of each step the logits depend on; steps without any influence are left out."""
    needed = {network.output}
    live: dict[str, LiveParts] = {}
    for step in reversed(network.steps):
        if step.name not in needed:
            continue
        parts = live_in_cell(step.body) if isinstance(step.body, Cell) else _WHOLE
        live[step.name] = parts
        needed.update(step.inputs[position] for position in parts.inputs)
    return live


_WHOLE = LiveParts(frozenset({0}), frozenset())


def live_in_cell(cell: Cell) -> LiveParts:
    """What of a cell lies on a path from an input to an output that no zero interrupts."""
    fed = set(range(len(cell.inputs)))
    for edge in cell.edges:  # ordered by target, so that sources are settled before
        if edge.source in fed and not is_zero(edge.body):
            fed.add(edge.target)
    used = set(cell.output) & fed
    edges: set[int] = set()
    for position, edge in reversed(tuple(enumerate(cell.edges))):
        if edge.target in used and edge.source in fed and not is_zero(edge.body):
            edges.add(position)
            used.add(edge.source)
    inputs = used & set(range(len(cell.inputs)))
    return LiveParts(frozenset(inputs), frozenset(edges))


def connected(network: Network) -> bool:
    """Whether the logits depend on the images at all."""
    live = live_parts(network)
    return any(
        step.inputs[position] == INPUT
        for step in network.steps
        if step.name in live
        for position in live[step.name].inputs
    )
