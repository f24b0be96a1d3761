"""The passes in their order, on an expression and on a network.

Sharing comes first, to a fixed point (TopoNAS, algorithm 1); then kernels are normalised, and
then merged, so that what is merged is what was normalised.
"""

from collections.abc import Callable
from dataclasses import replace

from archwright.graph import (
    Chain,
    Choice,
    Concat,
    Conv,
    Expr,
    Network,
    Op,
    Option,
    Shape,
    chain,
)
from archwright.graph.expr import choices, map_modules, out_shape
from archwright.graph.ops import KernelNorm
from archwright.graph.passes.simplification.diagnostics import Note, Outcome, Report, silent
from archwright.graph.passes.simplification.merging import merge, normalise
from archwright.graph.passes.simplification.settings import Simplification
from archwright.graph.passes.simplification.sharing import (
    distribute,
    share_floating,
    share_partial,
)
from archwright.graph.traverse import map_edges


def simplify(network: Network, settings: Simplification) -> Network:
    """`network` with every edge simplified."""
    simplified = map_edges(network, lambda body, shape: simplify_expr(body, shape, settings))
    return _agreed(simplified) if settings.norm else simplified


def simplify_expr(
    expr: Expr, shape: Shape, settings: Simplification, report: Report = silent
) -> Expr:
    """`expr`, which reads features of `shape`, after all stages that are on."""
    if settings.pms or settings.fms:
        expr = _with_decisions(share(expr, shape, settings, report), expr)
    if settings.norm:
        norm = KernelNorm(settings.granularity, settings.scale)
        expr = _everywhere(expr, lambda choice: normalise(choice, norm), report)
    if settings.merge:
        expr = _everywhere(expr, lambda choice: merge(choice, settings.pointwise), report)
    return expr


def _with_decisions(shared: Expr, expr: Expr) -> Expr:
    """`shared` with every decision of `expr`, also where all of its candidates were the same.

    Such a decision chooses among identities: a search still has an answer to find.
    """
    left = {choice.decision for choice in choices(shared)}
    for decision in dict.fromkeys(choice.decision for choice in choices(expr)):
        if decision not in left:
            everything = frozenset(range(len(decision.candidates)))
            idle = Choice(decision, (Option(everything, Chain()),), everything)
            shared = chain(shared, idle)
    return shared


def share(expr: Expr, shape: Shape, settings: Simplification, report: Report = silent) -> Expr:
    """Partial and floating sharing of `expr` and of all that they make, to a fixed point."""
    match expr:
        case Op():
            return expr
        case Chain(items):
            shared: list[Expr] = []
            for item in items:
                shared.append(share(item, shape, settings, report))
                shape = out_shape(item, shape)
            return chain(*shared)
        case Concat(branches):
            return Concat(tuple(share(branch, shape, settings, report) for branch in branches))
        case Choice():
            rewritten = _first_rule(expr, shape, settings, report)
            if rewritten is not None:
                return share(rewritten, shape, settings, report)
            inner = _with_bodies(expr, lambda body: share(body, shape, settings, report))
            # what was made inside may have something in common with what stands beside it
            return expr if inner == expr else share(inner, shape, settings, report)


def _first_rule(
    choice: Choice, shape: Shape, settings: Simplification, report: Report
) -> Expr | None:
    """What the first rule that applies makes of `choice`; why not, if none does."""
    reasons: list[Note] = []
    for rule in _rules(choice, shape, settings):
        outcome = rule()
        if outcome.expr is not None:
            _tell(report, outcome.notes)
            return outcome.expr
        reasons += outcome.notes
    _tell(report, reasons)
    return None


def _rules(
    choice: Choice, shape: Shape, settings: Simplification
) -> tuple[Callable[[], Outcome], ...]:
    """The rules that are on, in the order in which they are tried."""
    atomic = settings.pointwise != "shared"
    rules: tuple[Callable[[], Outcome], ...] = ()
    if settings.pms:
        rules += (
            lambda: share_partial(choice, atomic=atomic),
            lambda: distribute(choice, shape),
        )
    if settings.fms:
        rules += (lambda: share_floating(choice, shape, atomic=atomic),)
    return rules


def _tell(report: Report, notes: "tuple[Note, ...] | list[Note]") -> None:
    for note in notes:
        report(note)


def _everywhere(expr: Expr, rule: Callable[[Choice], Outcome], report: Report) -> Expr:
    """`expr` with a rule applied to every choice, inner ones first."""

    def apply(choice: Choice) -> Expr:
        outcome = rule(choice)
        _tell(report, outcome.notes)
        return choice if outcome.expr is None else outcome.expr

    return map_choices(expr, apply)


def map_choices(expr: Expr, function: Callable[[Choice], Expr]) -> Expr:
    """`expr` with every choice replaced, inner ones first."""
    match expr:
        case Op():
            return expr
        case Chain(items):
            return chain(*(map_choices(item, function) for item in items))
        case Concat(branches):
            return Concat(tuple(map_choices(branch, function) for branch in branches))
        case Choice():
            return function(_with_bodies(expr, lambda body: map_choices(body, function)))


def _with_bodies(choice: Choice, function: Callable[[Expr], Expr]) -> Choice:
    options = (replace(option, body=function(option.body)) for option in choice.options)
    return replace(choice, options=tuple(options))


def _agreed(network: Network) -> Network:
    """`network` without the norm of kernels whose slot also stands where none was given one.

    One slot is one module; only users who share slots themselves can meet this.
    """
    bare = {module.slot for module in network.modules() if not _has_norm(module)}

    def agreed(module: Op, _: str) -> Op:
        conv = module.primitive
        if module.slot in bare and isinstance(conv, Conv) and conv.norm is not None:
            return replace(module, primitive=replace(conv, norm=None))
        return module

    if not any(_has_norm(module) and module.slot in bare for module in network.modules()):
        return network
    return map_edges(network, lambda body, _: map_modules(body, agreed))


def _has_norm(module: Op) -> bool:
    return isinstance(module.primitive, Conv) and module.primitive.norm is not None
