"""From a supernet to the network inside it that an architecture selects, slots included."""

from collections.abc import Mapping
from dataclasses import replace

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
    verify_discrete,
)
from archwright.graph.passes.rewire import rewire


def restrict(network: Network, architecture: Architecture) -> Network:
    """`network` with every decision answered; its modules keep their slots.

    It computes what the supernet computes with one-hot weights, and so inherits its weights
    without a gap: batch norms stay affine-free, pools keep theirs, edges not kept count as none.
    Kernels are no longer normalised: what is inherited is the normalised kernel.

    Raises:
        GenotypeError: a decision has an answer that is none of its candidates, or the outputs of
            a cell are others than here.
        GraphError: a node would be left without any edge, or what is no edge without an answer.
    """
    answers = architecture.answers()

    def needed(name: str, expr: Expr) -> Expr:
        body = select(expr, answers)
        if body is None:
            raise GraphError(f"{name} has a decision that the architecture does not answer")
        return body

    def restricted(step: Step) -> Step:
        cell = step.body
        if not isinstance(cell, Cell):
            return replace(step, body=needed(step.name, cell))
        found = architecture.cells.get(cell.kind)
        if found is not None and found.output != cell.output:
            raise GenotypeError(
                f"{cell.kind} cells of this network join the nodes {cell.output}, those of the "
                f"architecture {found.output}"
            )
        edges: list[Edge] = []
        for edge in cell.edges:
            body = select(edge.body, answers)
            if body is not None:
                edges.append(replace(edge, body=body))
        inputs = tuple(needed(step.name, expr) for expr in cell.inputs)
        return replace(step, body=replace(cell, inputs=inputs, edges=tuple(edges)))

    found = replace(network, steps=tuple(map(restricted, network.steps)))
    verify_discrete(found)
    return found if architecture.pruning is None else rewire(found, architecture.pruning)


def select(expr: Expr, answers: Mapping[str, str]) -> Expr | None:
    """`expr` with its choices answered; None if a decision has no answer (the edge is not kept).

    Raises:
        GenotypeError: an answer is no candidate of its decision.
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
