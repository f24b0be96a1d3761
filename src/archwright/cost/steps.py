"""Steps of a network, each with its expression, its shapes and its costs.

Legend: C channels, H height, W width.
"""

from dataclasses import dataclass

from archwright.graph import INPUT, Cell, Expr, Network, Op, Shape, Step, walk_network
from archwright.graph.expr import modules


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """Facts of one step of a network.

    Attributes:
        kind: the kind of its cell; empty for a plain expression.
        inputs: the names of the steps that it reads, or `input` for the images.
        text: its expression, or the expressions on the edges of its cell.
        input_shapes: the shapes (C, H, W) of its inputs.
        shape: the shape (C, H, W) of its output.
        params: learned weights; a slot that an earlier step has too counts there.
        macs: multiply-accumulates on one image.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    text: str
    input_shapes: tuple[Shape, ...]
    shape: Shape
    params: int
    macs: int


def step_facts(network: Network) -> tuple[StepFacts, ...]:
    """Return the facts of each step, in the order of computation.

    Raises:
        GraphError: shapes disagree (step, edge, candidate and module are named).
    """
    visited: list[tuple[Op, Shape]] = []
    shapes = walk_network(network, lambda module, shape: visited.append((module, shape)))
    shapes[INPUT] = network.image
    order, seen = iter(visited), set[str]()
    found: list[StepFacts] = []
    for step in network.steps:
        params, macs = 0, 0
        for _ in [module for body in _bodies(step) for module in modules(body)]:
            module, shape = next(order)
            macs += module.primitive.macs(shape)
            params += 0 if module.slot in seen else module.primitive.params
            seen |= {module.slot} if module.slot else set()
        found.append(
            StepFacts(
                name=step.name,
                kind=step.body.kind if isinstance(step.body, Cell) else "",
                inputs=step.inputs,
                text=_text(step),
                input_shapes=tuple(shapes[name] for name in step.inputs),
                shape=shapes[step.name],
                params=params,
                macs=macs,
            )
        )
    return tuple(found)


def _bodies(step: Step) -> list[Expr]:
    if not isinstance(step.body, Cell):
        return [step.body]
    return [*step.body.inputs, *(edge.body for edge in step.body.edges)]


def _text(step: Step) -> str:
    cell = step.body
    if not isinstance(cell, Cell):
        return str(cell)
    edges = "; ".join(f"{edge.source}->{edge.target}: {edge.body}" for edge in cell.edges)
    return f"{cell.kind} cell: {edges}"
