"""Expressions of a network with their position and input shape."""

from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import override

from archwright.graph import Cell, Chain, Choice, Concat, Expr, Network, Shape, walk_network
from archwright.graph.expr import modules, out_shape, walk
from archwright.graph.traverse import node_shapes


@dataclass(frozen=True)
class Operation:
    """Operation: name of a candidate, or text of a fixed expression, and input and output shape."""

    name: str
    input: str
    output: str

    @override
    def __str__(self) -> str:
        return f"{self.name} from {self.input} to {self.output}"


@dataclass(frozen=True)
class LocatedOp:
    """Expression with the shape of its input; `name` is that of its candidate, or its own text."""

    name: str
    body: Expr
    shape: Shape

    @property
    def operation(self) -> "Operation":
        """Operation, which does not depend on the weights."""
        return Operation(self.name, str(self.shape), str(self.made))

    @property
    def made(self) -> Shape:
        """Shape of the output."""
        return out_shape(self.body, self.shape)

    @property
    def params(self) -> int:
        """Number of learned weights; those of a shared slot count once."""
        found: dict[str, int] = {}
        walk(self.body, self.shape, lambda m, _: found.update({m.slot: m.primitive.params}))
        return sum(found.values())

    @property
    def modules(self) -> int:
        """Number of modules."""
        return sum(1 for _ in modules(self.body))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        found: list[int] = []
        walk(self.body, self.shape, lambda m, shape: found.append(m.primitive.macs(shape)))
        return sum(found)


def located_ops(network: Network) -> Iterator[LocatedOp]:
    """Yield every input, edge and plain step of a network.

    A cell that concatenates several nodes copies them: this is an operation, too.
    """
    shapes = walk_network(network)
    for step in network.steps:
        given = [shapes[name] for name in step.inputs]
        if isinstance(step.body, Cell):
            yield from _in_cell(step.body, given)
        else:
            yield _fixed(step.body, given[0])


def _in_cell(cell: Cell, given: list[Shape]) -> Iterator[LocatedOp]:
    nodes = node_shapes(cell, given)
    for body, shape in zip(cell.inputs, given, strict=True):
        yield _fixed(body, shape)
    for edge in cell.edges:
        yield _fixed(edge.body, nodes[edge.source])
    if len(cell.output) > 1:
        yield _fixed(Concat((Chain(),) * len(cell.output)), nodes[cell.output[0]])


def _fixed(body: Expr, shape: Shape) -> LocatedOp:
    return LocatedOp(str(body), body, shape)


def searchable_and_fixed(network: Network) -> tuple[list[tuple[str, LocatedOp]], list[LocatedOp]]:
    """Return the candidates of a network with the name of their decision, and the fixed parts."""
    searched: list[tuple[str, LocatedOp]] = []
    fixed: list[LocatedOp] = []
    for place in located_ops(network):
        match place.body:
            case Choice(decision, options) as choice:
                searched += [
                    (decision.name, LocatedOp(choice.label(o), o.body, place.shape))
                    for o in options
                ]
            case _:
                fixed.append(place)
    return searched, fixed
