"""Cells and networks: directed acyclic graphs whose edges carry expressions.

A cell's node is the sum of the edges that end in it; a network is a list of steps, each a cell or
a plain expression that reads the outputs of earlier steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from archwright.graph.expr import Choice, Decision, Expr, Op, chain, choices, modules, name_slots
from archwright.graph.primitive import Primitive, Shape


@dataclass(frozen=True)
class Edge:
    """Connection of two nodes of a cell, with the expression that it computes."""

    source: int
    target: int
    body: Expr


@dataclass(frozen=True)
class Cell:
    """Cell: nodes 0 .. len(inputs) - 1 are the preprocessed inputs; the others are sums of edges.

    Cells of one `kind` (`normal`, `reduce`) share their decisions; the nodes in `output` are
    concatenated along the channels.
    """

    kind: str
    inputs: tuple[Expr, ...]
    nodes: int
    edges: tuple[Edge, ...]
    output: tuple[int, ...]

    def into(self, node: int) -> tuple[Edge, ...]:
        """Return the edges that end in `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def inner(self) -> range:
        """Return the nodes that are sums."""
        return range(len(self.inputs), len(self.inputs) + self.nodes)


@dataclass(frozen=True)
class Step:
    """Step of a network: `body` applied to the outputs of the steps named in `inputs`."""

    name: str
    body: Expr | Cell
    inputs: tuple[str, ...]


def expression_step(name: str, source: str, *parts: Expr | Primitive) -> Step:
    """Return the step that applies `parts` in turn, its slots named after it."""
    return Step(name, name_slots(chain(*parts), name), (source,))


INPUT = "input"
"""Name of the images among the inputs of steps."""


@dataclass(frozen=True)
class Network:
    """Network from images of shape `image` to the logits of the last step.

    `auxiliary` names a step whose logits are a part of the training loss (DARTS' auxiliary head).
    """

    image: Shape
    steps: tuple[Step, ...]
    auxiliary: str = ""

    @property
    def output(self) -> str:
        """Step that computes the logits."""
        return self.steps[-1].name

    def without_auxiliary(self) -> "Network":
        """Return the network without the step of auxiliary logits, if it has one."""
        if not self.auxiliary:
            return self
        kept = tuple(step for step in self.steps if step.name != self.auxiliary)
        return replace(self, steps=kept, auxiliary="")

    def expressions(self) -> Iterator[Expr]:
        """Yield every expression, in the order of evaluation."""
        for step in self.steps:
            if isinstance(step.body, Cell):
                yield from step.body.inputs
                for edge in step.body.edges:
                    yield edge.body
            else:
                yield step.body

    def modules(self) -> Iterator[Op]:
        """Yield every module, in the order of evaluation."""
        for expr in self.expressions():
            yield from modules(expr)

    def choices(self) -> Iterator[Choice]:
        """Yield every choice, in the order of evaluation, outer ones first."""
        for expr in self.expressions():
            yield from choices(expr)

    def decisions(self) -> tuple[Decision, ...]:
        """Return the open decisions, each once, in the order of evaluation."""
        return tuple(dict.fromkeys(choice.decision for choice in self.choices()))
