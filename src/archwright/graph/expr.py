"""Expressions over primitives: the function of an edge, as an immutable value.

A leaf is a module; modules are put in series (`Chain`), in parallel with their channels
concatenated (`Concat`), or as alternatives of which a weighted sum is taken (`Choice`). An
expression is defined by its values, so that a rewriting is a function from expression to
expression.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from archwright.errors import GraphError
from archwright.graph.primitive import Primitive, Shape


@dataclass(frozen=True)
class Op:
    """Primitive in an expression; `slot` names its state, if any: equal slots share weights."""

    primitive: Primitive
    slot: str = ""

    def __str__(self) -> str:
        return self.primitive.label()


@dataclass(frozen=True)
class Chain:
    """Expressions in series; the empty chain is the identity."""

    items: tuple["Expr", ...] = ()

    def __str__(self) -> str:
        return " · ".join(map(str, self.items)) or "id"


@dataclass(frozen=True)
class Concat:
    """Expressions that read the same input; their channels are concatenated in order."""

    branches: tuple["Expr", ...]

    def __str__(self) -> str:
        return f"[{' | '.join(map(str, self.branches))}]"


@dataclass(frozen=True)
class Decision:
    """Decision of a search: one of these candidates, at one place."""

    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """One branch of a choice, for the candidates (by index) that it represents."""

    members: frozenset[int]
    body: "Expr"


@dataclass(frozen=True)
class Choice:
    """Weighted sum of options.

    An option weighs p(its members | `given`), where p is the decision's distribution over its
    candidates: the softmax of their log-weights over the members of `given`.

    `form` is the form of the sum: over the options' outputs (`sum`); or, where all of them are
    convolutions of one signature, one convolution with the weighted sum of their kernels
    (`kernel`), or, if they are separable, with their depthwise kernels side by side (`stack`); or,
    where all of them keep the first channels, one scale a channel (`mask`).
    """

    decision: Decision
    options: tuple[Option, ...]
    given: frozenset[int]
    form: Literal["sum", "kernel", "stack", "mask"] = "sum"

    def __str__(self) -> str:
        options = (f"{self.label(option)}: {option.body}" for option in self.options)
        return f"{_SIGNS[self.form]}{{{'; '.join(options)}}}"

    def label(self, option: Option) -> str:
        """Return the names of the candidates that an option represents."""
        return "|".join(self.decision.candidates[i] for i in sorted(option.members))


_SIGNS = {"sum": "Σ", "kernel": "conv Σ", "stack": "conv ⊕", "mask": "keep Σ"}

Expr = Op | Chain | Concat | Choice


def chain(*items: Expr | Primitive) -> Chain:
    """Return the parts in series, nested chains flattened."""
    parts: list[Expr] = []
    for item in items:
        if isinstance(item, Chain):
            parts.extend(item.items)
        else:
            parts.append(Op(item) if isinstance(item, Primitive) else item)
    return Chain(tuple(parts))


def concat(*branches: Expr | Primitive) -> Concat:
    """Return the parts in parallel, with their channels concatenated."""
    return Concat(tuple(Op(b) if isinstance(b, Primitive) else b for b in branches))


def choose(decision: Decision, bodies: tuple[Expr, ...]) -> Choice:
    """Return the choice that has one option for each candidate."""
    options = tuple(Option(frozenset({i}), body) for i, body in enumerate(bodies))
    return Choice(decision, options, frozenset(range(len(bodies))))


def map_modules(expr: Expr, function: Callable[[Op, str], Op]) -> Expr:
    """Replace every module of `expr` by the function's value of the module and its path.

    Raises:
        GraphError: a part of `expr` is no expression.
    """

    def visit(expr: Expr, path: str) -> Expr:
        match expr:
            case Op():
                return function(expr, path)
            case Chain(items):
                return Chain(tuple(visit(item, f"{path}/{i}") for i, item in enumerate(items)))
            case Concat(branches):
                return Concat(tuple(visit(b, f"{path}/{i}") for i, b in enumerate(branches)))
            case Choice(_, options):
                visited = (
                    replace(option, body=visit(option.body, f"{path}/{expr.label(option)}"))
                    for option in options
                )
                return replace(expr, options=tuple(visited))
            case _:  # users build expressions too
                found = type(expr).__name__
                raise GraphError(
                    f"{expr!r} ({found}) is no expression: build it of primitives with chain, "
                    f"concat and choose"
                )

    return visit(expr, "")


def name_slots(expr: Expr, prefix: str) -> Expr:
    """Return `expr` with a slot (prefix and path) for each module that has state and no slot."""

    def named(module: Op, path: str) -> Op:
        wanted = module.primitive.stateful and not module.slot
        return replace(module, slot=prefix + path) if wanted else module

    return map_modules(expr, named)


def modules(expr: Expr) -> Iterator[Op]:
    """Yield every module, in the order of evaluation."""
    match expr:
        case Op():
            yield expr
        case Chain(parts) | Concat(parts):
            for part in parts:
                yield from modules(part)
        case Choice(_, options):
            for option in options:
                yield from modules(option.body)


def choices(expr: Expr) -> Iterator[Choice]:
    """Yield every choice, outer ones first."""
    match expr:
        case Op():
            return
        case Chain(parts) | Concat(parts):
            for part in parts:
                yield from choices(part)
        case Choice(_, options):
            yield expr
            for option in options:
                yield from choices(option.body)


def is_zero(expr: Expr) -> bool:
    """Return whether the output of `expr` is always zero."""
    match expr:
        case Op(primitive):
            return primitive.zero
        case Chain(items):
            return any(map(is_zero, items))
        case Concat(branches):
            return all(map(is_zero, branches))
        case Choice(_, options):
            return all(is_zero(option.body) for option in options)


def identity_like(expr: Expr) -> bool:
    """Return whether `expr` is the identity up to scale and resolution."""
    match expr:
        case Op(primitive):
            return primitive.identity_like
        case Chain(items):
            return all(map(identity_like, items))
        case _:
            return False


def out_shape(expr: Expr, shape: Shape) -> Shape:
    """Return the shape of the output of `expr` for an input of `shape`.

    Raises:
        GraphError: a module does not take its input, or the parts of a sum or a concatenation
            disagree; the text names the option and the module.
    """
    return walk(expr, shape, lambda module, shape: None)


def walk(expr: Expr, shape: Shape, visit: Callable[[Op, Shape], object]) -> Shape:
    """Call `visit` on every module with the shape of its input; return the final shape.

    Raises:
        GraphError: as `out_shape`.
    """
    match expr:
        case Op(primitive):
            visit(expr, shape)
            return primitive.out_shape(shape)
        case Chain(items):
            for position, item in enumerate(items):
                with located("module {} ({})", position, item):
                    shape = walk(item, shape, visit)
            return shape
        case Concat(branches):
            made: list[Shape] = []
            for position, branch in enumerate(branches):
                with located("branch {}", position):
                    made.append(walk(branch, shape, visit))
            if len({end[1:] for end in made}) != 1:
                raise GraphError(f"the branches of {expr} end at different sizes: {listed(made)}")
            return Shape(sum(end.channels for end in made), *made[0][1:])
        case Choice(decision, options):
            ends: dict[Shape, list[str]] = {}
            for option in options:
                label = expr.label(option)
                with located("{}, candidate {}", decision.name, label):
                    ends.setdefault(walk(option.body, shape, visit), []).append(label)
            if len(ends) != 1:
                found = "; ".join(f"{end} by {', '.join(by)}" for end, by in ends.items())
                raise GraphError(f"the candidates of {decision.name} disagree: {found or 'none'}")
            return next(iter(ends))


@contextmanager
def located(place: str, *parts: object) -> Generator[None]:
    """Prefix the text of a graph error raised inside by `place`, formatted with `parts`."""
    try:
        yield
    except GraphError as error:
        raise GraphError(f"{place.format(*parts)}: {error}") from None


def listed(shapes: Iterable[Shape]) -> str:
    """Return shapes as text."""
    return ", ".join(map(str, shapes)) or "there are none"
