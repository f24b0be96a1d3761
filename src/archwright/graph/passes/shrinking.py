"""Shrinking: remove some candidates and connections of a supernet.

Decisions keep their names and their candidates, so that alpha, mixtures and logs do not change; a
removed candidate has no option any more, and its weight must be 0. With all weight on the remaining
candidates, the network computes the same function as before.
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

Remaining = Mapping[str, Collection[int]]
"""Remaining candidates (by index) of each decision, by its name; empty: no connection."""


@register
@dataclass(frozen=True)
class Shrinking(Pass):
    """Removal of all candidates but the `remaining` ones of the decisions on edges.

    The edge of a decision without remaining candidates becomes zero.
    """

    remaining: Remaining

    name = "shrinking"
    kind = "structural"
    keeps = (SAME_SHAPES, NO_NEW_SLOTS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        def shrunk(body: Expr, shape: Shape) -> Expr:
            for choice in choices(body):
                remaining = self.remaining[choice.decision.name]
                if not remaining:
                    report(about(self.name, choice, "no connection is left", fired=True))
                    return _gone(choice, body, shape)
                report(self._diagnostic(choice, remaining))
            return _without(body, self.remaining)

        return map_edges(network, shrunk)

    def _diagnostic(self, choice: Choice, remaining: Collection[int]) -> Diagnostic:
        dropped = sorted(
            i for option in choice.options for i in option.members if i not in remaining
        )
        if not dropped:
            return about(self.name, choice, "all candidates here are left", fired=False)
        names = listed(choice.decision.candidates[member] for member in dropped)
        return about(self.name, choice, f"without {names}", fired=True)


def searched_in_cells(network: Network) -> frozenset[str]:
    """Return the names of the decisions on edges, which are those that can be shrunk."""
    bodies = (step.body for step in network.steps if isinstance(step.body, Cell))
    edges = (edge.body for cell in bodies for edge in cell.edges)
    return frozenset(choice.decision.name for body in edges for choice in choices(body))


def _without(expr: Expr, remaining: Remaining) -> Expr:
    match expr:
        case Op():
            return expr
        case Chain(items):
            return chain(*(_without(item, remaining) for item in items))
        case Concat(branches):
            return Concat(tuple(_without(branch, remaining) for branch in branches))
        case Choice():
            return _narrowed(expr, frozenset(remaining[expr.decision.name]), remaining)


def _narrowed(choice: Choice, kept: frozenset[int], remaining: Remaining) -> Expr:
    """Return the choice among the remaining candidates.

    At the top of an edge the weights of candidates stay those among all of them; in a group, the
    conditional weights are a softmax over the remaining candidates.
    """
    options = [
        Option(option.members & kept, _without(option.body, remaining))
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
    """Return zeros in place of an edge, with its decision."""
    made = out_shape(body, shape)
    step = next(n for n in range(1, shape.height + 1) if -(-shape.height // n) == made.height)
    everything = frozenset(range(len(choice.decision.candidates)))
    zeros = chain(Zero(made.channels, step))
    return Choice(choice.decision, (Option(everything, zeros),), everything)
