"""Restriction of a supernet to the network in it that an architecture selects, slots included."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from typing_extensions import override

from archwright.errors import GenotypeError, GraphError
from archwright.graph import (
    Architecture,
    Cell,
    Chain,
    Choice,
    Concat,
    Conv,
    Edge,
    Expr,
    Network,
    Op,
    Step,
    chain,
)
from archwright.graph.passes.contract import DISCRETE, PLAIN_KERNELS, Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report
from archwright.graph.passes.rewire import rewire


@register
@dataclass(frozen=True)
class Restriction(Pass):
    """Restriction of every decision to the candidate of an architecture; modules keep their slots.

    The network computes the function of the supernet with one-hot weights, and so inherits its
    weights exactly: batch norms stay affine-free, pools keep theirs, edges that are not kept are
    `none`. Kernels are no longer normalised: the normalised kernel is inherited. If the
    architecture is pruned, its nodes are deleted last.

    Raises:
        GenotypeError: the architecture has a candidate that its decision does not have, or other
            outputs of a cell.
        GraphError: a node would have no edge, or the architecture does not decide an expression
            that is not an edge.
    """

    architecture: Architecture

    name = "restriction"
    kind = "structural"
    ensures = (DISCRETE, PLAIN_KERNELS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        steps = tuple(self._restricted(step, report) for step in network.steps)
        found, pruning = replace(network, steps=steps), self.architecture.pruning
        return found if pruning is None else rewire(found, pruning)

    def _restricted(self, step: Step, report: Report) -> Step:
        cell, answers = step.body, self.architecture.answers()
        if not isinstance(cell, Cell):
            return replace(step, body=_needed(step.name, cell, answers))
        found = self.architecture.cells.get(cell.kind)
        if found is not None and found.output != cell.output:
            raise GenotypeError(
                f"{cell.kind} cells of this network join the nodes {cell.output}, those of the "
                f"architecture {found.output}"
            )
        edges: list[Edge] = []
        for edge in cell.edges:
            body = select(edge.body, answers)
            if body is None:
                place = f"{step.name}: edge {edge.source}->{edge.target}"
                report(Diagnostic(self.name, True, place, "left out: its decision has no answer"))
            else:
                edges.append(replace(edge, body=body))
        inputs = tuple(_needed(step.name, expr, answers) for expr in cell.inputs)
        return replace(step, body=replace(cell, inputs=inputs, edges=tuple(edges)))


def restrict(network: Network, architecture: Architecture) -> Network:
    """Return the network inside `network` that `architecture` selects.

    Raises:
        GenotypeError, GraphError: as `Restriction`.
    """
    return Restriction(architecture)(network).network


def _needed(name: str, expr: Expr, answers: Mapping[str, str]) -> Expr:
    body = select(expr, answers)
    if body is None:
        raise GraphError(f"{name} has a decision that the architecture does not make")
    return body


def select(expr: Expr, answers: Mapping[str, str]) -> Expr | None:
    """Replace the choices of `expr` by their selected options; None: the edge is not kept.

    Raises:
        GenotypeError: a selection is no candidate of its decision.
        GraphError: no option stands for it.
    """
    match expr:
        case Op(Conv() as conv) if conv.norm is not None:
            return replace(expr, primitive=replace(conv, norm=None))
        case Op():
            return expr
        case Chain(items):
            selected = _select_all(items, answers)
            return None if selected is None else chain(*selected)
        case Concat(branches):
            selected = _select_all(branches, answers)
            return None if selected is None else Concat(selected)
        case Choice():
            return _answer(expr, answers)


def _select_all(parts: tuple[Expr, ...], answers: Mapping[str, str]) -> tuple[Expr, ...] | None:
    selected: list[Expr] = []
    for part in parts:
        one = select(part, answers)
        if one is None:
            return None
        selected.append(one)
    return tuple(selected)


def _answer(choice: Choice, answers: Mapping[str, str]) -> Expr | None:
    name, candidates = choice.decision.name, choice.decision.candidates
    if name not in answers:
        return None
    if answers[name] not in candidates:
        raise GenotypeError(f"{answers[name]!r} is no candidate of {name}: {', '.join(candidates)}")
    wanted = candidates.index(answers[name])
    for option in choice.options:
        if wanted in option.members:
            return select(option.body, answers)
    raise GraphError(f"no option of {name} stands for {answers[name]}")
