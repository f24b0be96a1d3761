"""The passes in their order, on an expression and on a network.

Sharing comes first, to a fixed point (TopoNAS, algorithm 1); then kernels are normalised, and
then merged, so that what is merged is what was normalised.
"""

from collections.abc import Callable
from dataclasses import replace

from archwright.ir import Chain, Choice, Concat, Expr, Module, Network, Shape, chain
from archwright.ir.expr import out_shape
from archwright.ir.ops import KernelNorm
from archwright.ir.walk import map_edges
from archwright.simplify.merging import merge, normalise
from archwright.simplify.settings import Simplification
from archwright.simplify.sharing import distribute, share_floating, share_partial


def simplify(network: Network, settings: Simplification) -> Network:
    """`network` with every edge simplified."""
    return map_edges(network, lambda body, shape: simplify_expr(body, shape, settings))


def simplify_expr(expr: Expr, shape: Shape, settings: Simplification) -> Expr:
    """`expr`, which reads features of `shape`, after all stages that are on."""
    if settings.pms or settings.fms:
        expr = share(expr, shape, settings)
    if settings.norm:
        norm = KernelNorm(settings.granularity, settings.scale)
        expr = map_choices(expr, lambda choice: normalise(choice, norm))
    if settings.merge:
        expr = map_choices(expr, lambda choice: merge(choice, settings.pointwise))
    return expr


def share(expr: Expr, shape: Shape, settings: Simplification) -> Expr:
    """Partial and floating sharing of `expr` and of all that they make, to a fixed point."""
    match expr:
        case Module():
            return expr
        case Chain(items):
            shared: list[Expr] = []
            for item in items:
                shared.append(share(item, shape, settings))
                shape = out_shape(item, shape)
            return chain(*shared)
        case Concat(branches):
            return Concat(tuple(share(branch, shape, settings) for branch in branches))
        case Choice():
            rewritten = _first_rule(expr, shape, settings)
            if rewritten is not None:
                return share(rewritten, shape, settings)
            return _with_bodies(expr, lambda body: share(body, shape, settings))


def _first_rule(choice: Choice, shape: Shape, settings: Simplification) -> Expr | None:
    """What the first rule that applies makes of `choice`."""
    atomic = settings.pointwise != "shared"
    rules: list[Callable[[], Expr | None]] = []
    if settings.pms:
        rules.append(lambda: share_partial(choice, atomic=atomic))
        rules.append(lambda: distribute(choice, shape))
    if settings.fms:
        rules.append(lambda: share_floating(choice, shape, atomic=atomic))
    made = (rule() for rule in rules)
    return next((expr for expr in made if expr is not None), None)


def map_choices(expr: Expr, function: Callable[[Choice], Expr]) -> Expr:
    """`expr` with every choice replaced, inner ones first."""
    match expr:
        case Module():
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
