"""A supernet without some of its candidates and connections, its decisions and slots as before.

Decisions keep their names and their candidates, so that alpha, mixtures and logs stay as they are;
what has been dropped has no option any more, and must weigh nothing. With weights on what is left,
the network computes what it did.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from archwright.graph import (
    Cell,
    Chain,
    Choice,
    Concat,
    Expr,
    Network,
    Op,
    Option,
    Shape,
    chain,
)
from archwright.graph.expr import choices, out_shape
from archwright.graph.ops import Zero
from archwright.graph.traverse import map_edges

Left = Mapping[str, Collection[int]]
"""The candidates (by index) that are left of each decision, by its name; none: no connection."""


def shrink(network: Network, left: Left) -> Network:
    """`network` with nothing but what is `left` of its decisions."""

    def shrunk(body: Expr, shape: Shape) -> Expr:
        for choice in choices(body):
            if not left[choice.decision.name]:
                return _gone(choice, body, shape)
        return _without(body, left)

    return map_edges(network, shrunk)


def searched_in_cells(network: Network) -> frozenset[str]:
    """The names of decisions that stand on edges, which are what can be shrunk."""
    bodies = (step.body for step in network.steps if isinstance(step.body, Cell))
    edges = (edge.body for cell in bodies for edge in cell.edges)
    return frozenset(choice.decision.name for body in edges for choice in choices(body))


def _without(expr: Expr, left: Left) -> Expr:
    match expr:
        case Op():
            return expr
        case Chain(items):
            return chain(*(_without(item, left) for item in items))
        case Concat(branches):
            return Concat(tuple(_without(branch, left) for branch in branches))
        case Choice():
            return _narrowed(expr, frozenset(left[expr.decision.name]), left)


def _narrowed(choice: Choice, kept: frozenset[int], left: Left) -> Expr:
    """A choice among the candidates that are kept.

    At the top of an edge candidates go on to weigh what they weigh among all; in a group, whose
    conditional weights are a softmax over what is given, only what is left is given.
    """
    options = [
        Option(option.members & kept, _without(option.body, left))
        for option in choice.options
        if option.members & kept
    ]
    whole = len(choice.given) == len(choice.decision.candidates)
    given = choice.given if whole else choice.given & kept
    if len(options) > 1:
        return replace(choice, options=tuple(options), given=given)
    only = options[0]
    if not whole and only.members == given:
        return only.body  # its conditional weight is 1
    return replace(choice, options=(only,), given=given, form="sum")


def _gone(choice: Choice, body: Expr, shape: Shape) -> Expr:
    """Zeros in place of an edge; its decision stays."""
    made = out_shape(body, shape)
    step = next(n for n in range(1, shape.height + 1) if -(-shape.height // n) == made.height)
    everything = frozenset(range(len(choice.decision.candidates)))
    zeros = chain(Zero(made.channels, step))
    return Choice(choice.decision, (Option(everything, zeros),), everything)
