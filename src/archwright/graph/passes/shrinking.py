"""Shrinking: a supernet without some of its candidates and connections.

Decisions keep their names and their candidates, so that alpha, mixtures and logs stay as they are;
a dropped candidate has no option any more, and must weigh nothing. With weights on what is left,
the network computes the same as before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from typing_extensions import override

from archwright.graph import Cell, Chain, Choice, Concat, Expr, Network, Op, Option, Shape, chain
from archwright.graph.expr import choices, out_shape
from archwright.graph.ops import Zero
from archwright.graph.passes.contract import NO_NEW_SLOTS, SAME_SHAPES, Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report, about, listed
from archwright.graph.traverse import map_edges

Left = Mapping[str, Collection[int]]
"""The candidates (by index) left of each decision, by its name; none are left: no connection."""


@register
@dataclass(frozen=True)
class Shrinking(Pass):
    """Removal of all candidates but those that are `left` of the decisions on edges.

    A decision of which none are left makes its edge zero.
    """

    left: Left

    name = "shrinking"
    kind = "structural"
    keeps = (SAME_SHAPES, NO_NEW_SLOTS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        def shrunk(body: Expr, shape: Shape) -> Expr:
            for choice in choices(body):
                left = self.left[choice.decision.name]
                if not left:
                    report(about(self.name, choice, "no connection is left", fired=True))
                    return _gone(choice, body, shape)
                report(self._diagnostic(choice, left))
            return _without(body, self.left)

        return map_edges(network, shrunk)

    def _diagnostic(self, choice: Choice, left: Collection[int]) -> Diagnostic:
        dropped = sorted(i for option in choice.options for i in option.members if i not in left)
        if not dropped:
            return about(self.name, choice, "all candidates here are left", fired=False)
        names = listed(choice.decision.candidates[member] for member in dropped)
        return about(self.name, choice, f"without {names}", fired=True)


def searched_in_cells(network: Network) -> frozenset[str]:
    """Return the names of decisions that stand on edges, which are those that can be shrunk."""
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
    """Return a choice among the candidates that are kept.

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
    """Return zeros in place of an edge; its decision stays."""
    made = out_shape(body, shape)
    step = next(n for n in range(1, shape.height + 1) if -(-shape.height // n) == made.height)
    everything = frozenset(range(len(choice.decision.candidates)))
    zeros = chain(Zero(made.channels, step))
    return Choice(choice.decision, (Option(everything, zeros),), everything)
