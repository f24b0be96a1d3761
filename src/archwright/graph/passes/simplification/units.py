"""Candidates as rows of units; a unit is shared only as a whole."""

from archwright.graph import Chain, Choice, Concat, Conv, Expr, Op, chain
from archwright.graph.expr import map_modules


def split_units(body: Expr, *, atomic: bool) -> tuple[Expr, ...]:
    """Return the parts of `body` in series; with `atomic`, a separable conv is one part.

    A separable conv is a depthwise conv with the pointwise conv right behind it.
    """
    items = chain(body).items
    if not atomic:
        return items
    row: list[Expr] = []
    for item in items:
        if row and _is_depthwise(row[-1]) and _is_pointwise(item):
            row[-1] = Chain((row[-1], item))
        else:
            row.append(item)
    return tuple(row)


def has_separable(expr: Expr) -> bool:
    """Return whether there is a separable conv anywhere in `expr`."""
    match expr:
        case Op():
            return False
        case Chain(items):
            if len(split_units(expr, atomic=True)) < len(items):
                return True
            return any(map(has_separable, items))
        case Concat(branches):
            return any(map(has_separable, branches))
        case Choice(_, options):
            return any(has_separable(option.body) for option in options)


def without_slots(expr: Expr) -> Expr:
    """Return `expr` without its slots: two units that are then equal can share one module."""
    return map_modules(expr, lambda module, path: Op(module.primitive))


def as_chain(row: tuple[Expr, ...]) -> Chain:
    """Return the units of a row in series again."""
    return chain(*row)


def _is_depthwise(expr: Expr) -> bool:
    return isinstance(expr, Op) and isinstance(expr.primitive, Conv) and expr.primitive.depthwise


def _is_pointwise(expr: Expr) -> bool:
    return isinstance(expr, Op) and isinstance(expr.primitive, Conv) and expr.primitive.pointwise
