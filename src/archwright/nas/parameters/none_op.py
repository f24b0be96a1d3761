"""Candidates that are no connection (`none`), found in the graph, whatever their names."""

from archwright.graph import Cell, Network, choices
from archwright.graph.expr import is_zero
from archwright.graph.passes.restriction import select


def none_candidates(network: Network) -> tuple[tuple[int, ...], ...]:
    """Return the candidates (by index) of each decision whose output is always zero."""
    found: dict[str, tuple[int, ...]] = {}
    for step in network.steps:
        if not isinstance(step.body, Cell):
            continue
        for edge in step.body.edges:
            for choice in choices(edge.body):
                decision = choice.decision
                if decision.name in found:
                    continue
                answered = (
                    select(edge.body, {decision.name: name}) for name in decision.candidates
                )
                found[decision.name] = tuple(
                    index
                    for index, body in enumerate(answered)
                    if body is not None and is_zero(body)
                )
    return tuple(found.get(decision.name, ()) for decision in network.decisions())
