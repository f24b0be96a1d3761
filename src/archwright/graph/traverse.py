"""Traversal of networks: shapes of all features, and the parts that the logits depend on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from archwright.errors import GraphError
from archwright.graph.expr import Expr, Op, is_zero, listed, located, out_shape, walk
from archwright.graph.network import INPUT, Cell, Network, Step
from archwright.graph.primitive import Shape

Visit = Callable[[Op, Shape], object]
"""Function that is called with each module and the shape of its input."""


def _ignore(module: Op, shape: Shape) -> None:
    """Do nothing at a module: the visit of callers that only need shapes."""


@dataclass(frozen=True)
class LiveParts:
    """Inputs and edges of a step, by position, on a path from the image to the logits."""

    inputs: frozenset[int]
    edges: frozenset[int]


_DEAD = LiveParts(frozenset(), frozenset())
_WHOLE = LiveParts(frozenset({0}), frozenset())
"""Live parts of a step that is an expression: its one input, and no edges."""


def walk_network(
    network: Network, visit: Visit = _ignore, *, live: bool = False
) -> dict[str, Shape]:
    """Call `visit` on every module (with `live`: see `live_parts`); return the shape of each step.

    Raises:
        GraphError: shapes disagree; the text names step, edge, candidate and module.
    """
    used = live_parts(network) if live else None
    shapes = {INPUT: network.image}
    for step in network.steps:
        given = [shapes[name] for name in step.inputs]
        parts = None if used is None else used.get(step.name, _DEAD)
        with located("{}", step.name):
            if isinstance(step.body, Cell):
                shapes[step.name] = _walk_cell(step.body, given, visit, parts)
            else:
                shapes[step.name] = walk(step.body, given[0], _ignore if parts is _DEAD else visit)
    return shapes


def _walk_cell(cell: Cell, shapes: list[Shape], visit: Visit, live: LiveParts | None) -> Shape:
    made: list[Shape] = []
    for position, (expr, shape) in enumerate(zip(cell.inputs, shapes, strict=True)):
        wanted = live is None or position in live.inputs
        with located("input {}", position):
            made.append(walk(expr, shape, visit if wanted else _ignore))
    for node in cell.inner():
        ends: set[Shape] = set()
        for position, edge in enumerate(cell.edges):
            if edge.target == node:
                wanted = live is None or position in live.edges
                with located("edge {}->{}", edge.source, node):
                    ends.add(walk(edge.body, made[edge.source], visit if wanted else _ignore))
        if len(ends) != 1:
            raise GraphError(f"the edges into node {node} disagree: {listed(sorted(ends))}")
        made.append(ends.pop())
    joined = [made[node] for node in cell.output]
    if len({shape[1:] for shape in joined}) != 1:
        raise GraphError(f"the output nodes {cell.output} differ in size: {listed(joined)}")
    return Shape(sum(shape.channels for shape in joined), *joined[0][1:])


def map_edges(network: Network, function: Callable[[Expr, Shape], Expr]) -> Network:
    """Replace the expression of every edge by the function's value of it and its input's shape."""
    shapes = walk_network(network)
    steps: list[Step] = []
    for step in network.steps:
        if isinstance(step.body, Cell):
            cell = step.body
            nodes = node_shapes(cell, [shapes[name] for name in step.inputs])
            edges = (replace(e, body=function(e.body, nodes[e.source])) for e in cell.edges)
            step = replace(step, body=replace(cell, edges=tuple(edges)))
        steps.append(step)
    return replace(network, steps=tuple(steps))


def node_shapes(cell: Cell, shapes: list[Shape]) -> list[Shape]:
    """Return the shapes of a cell's nodes, inputs first, from those of the steps that it reads."""
    made = [out_shape(expr, shape) for expr, shape in zip(cell.inputs, shapes, strict=True)]
    for node in cell.inner():
        (first, *_) = cell.into(node)
        made.append(out_shape(first.body, made[first.source]))
    return made


def live_parts(network: Network) -> dict[str, LiveParts]:
    """Return the parts on a path without zeros from the image to the logits, by step.

    Steps without such a part are absent. An edge is live or not as a whole.
    """
    fed = {INPUT}
    for step in network.steps:
        given = {position for position, name in enumerate(step.inputs) if name in fed}
        if isinstance(step.body, Cell):
            reached = _fed_nodes(step.body, given) & set(step.body.output)
        else:
            reached = set() if is_zero(step.body) else given
        if reached:
            fed.add(step.name)
    needed = {network.output} & fed
    live: dict[str, LiveParts] = {}
    for step in reversed(network.steps):
        if step.name in needed:
            given = {position for position, name in enumerate(step.inputs) if name in fed}
            live[step.name] = (
                _live_in_cell(step.body, given) if isinstance(step.body, Cell) else _WHOLE
            )
            needed.update(step.inputs[position] for position in live[step.name].inputs)
    return live


def _fed_nodes(cell: Cell, given: set[int]) -> set[int]:
    """Return the nodes that one of the inputs in `given` reaches."""
    fed = {position for position in given if not is_zero(cell.inputs[position])}
    for edge in cell.edges:  # ordered by target, so that sources are settled before
        if edge.source in fed and not is_zero(edge.body):
            fed.add(edge.target)
    return fed


def _live_in_cell(cell: Cell, given: set[int]) -> LiveParts:
    fed = _fed_nodes(cell, given)
    used = set(cell.output) & fed
    edges: set[int] = set()
    for position, edge in reversed(tuple(enumerate(cell.edges))):
        if edge.target in used and edge.source in fed and not is_zero(edge.body):
            edges.add(position)
            used.add(edge.source)
    return LiveParts(frozenset(used & given), frozenset(edges))


def connected(network: Network) -> bool:
    """Return whether the logits depend on the images."""
    return network.output in live_parts(network)
