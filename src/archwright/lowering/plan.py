"""Plans: a network as a straight line of operations on values, each computed once.

A weighted sum is not taken where it is written, but carried along as terms (coefficient, value)
until an operation needs the sum itself. So a coefficient is folded into the kernel or the batch
norm that computes its value, and a node adds up the terms of all its edges at once. Values are
numbered; equal operations on equal values are computed once (common-subexpression elimination), so
that the edges that leave a node share their common operations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from archwright.graph import (
    INPUT,
    BatchNorm,
    Cell,
    Chain,
    Choice,
    Concat,
    Conv,
    Expr,
    Network,
    Op,
    Primitive,
    Shuffle,
    chain,
    choices,
)
from archwright.graph.kernel_frame import Frame
from archwright.graph.masks import mask_widths, masked_channels
from archwright.lowering.coefficients import Coefficient, Coefficients, Factor
from archwright.lowering.geometry import Geometry
from archwright.lowering.kernels import Merged, Term, geometry


@dataclass(frozen=True)
class Call:
    """Call of a module with a value."""

    module: Op
    x: int


@dataclass(frozen=True)
class Normalise:
    """Batch norm whose scale and shift are multiplied by a coefficient."""

    module: Op
    coefficient: int | None
    x: int


@dataclass(frozen=True)
class Convolve:
    """Convolution of x with a kernel that is made of others.

    With `relu` it reads relu(x), with a `norm` too relu(norm(x)), which need not be kept.
    """

    kernel: Merged
    x: int
    relu: bool = False
    norm: Op | None = None


@dataclass(frozen=True)
class MaskChannels:
    """Multiplication of each channel of x by the coefficients of the widths that reach it."""

    channels: int
    widths: tuple[int, ...]
    coefficients: tuple[int, ...]
    x: int


@dataclass(frozen=True)
class ConvGroup:
    """Convolutions of one relu(x), each with a kernel of its own."""

    kernels: tuple[Merged, ...]
    x: int


@dataclass(frozen=True)
class WeightedSum:
    """Sum of values, each with its coefficient (None: 1)."""

    values: tuple[int, ...]
    coefficients: tuple[int | None, ...]


@dataclass(frozen=True)
class ConcatFeatures:
    """Concatenation of values along the channels."""

    values: tuple[int, ...]


@dataclass(frozen=True)
class FeatureMix:
    """Weighted sums of cheap features of x, with a row of coefficients for each sum.

    A feature is a pool of x; None: x itself. A coefficient of None is 0.
    """

    x: int
    features: tuple[Op | None, ...]
    rows: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True)
class GetItem:
    """Value at `row` of a `FeatureMix` or a `ConvGroup`."""

    x: int
    row: int


@dataclass(frozen=True)
class RecomputeRegion:
    """Convolutions in series that are recomputed in backward, for which only inputs are kept."""

    inputs: tuple[int, ...]
    operations: tuple[tuple[int, "Convolve | WeightedSum"], ...]


Operation = (
    Call
    | Normalise
    | Convolve
    | MaskChannels
    | ConvGroup
    | WeightedSum
    | ConcatFeatures
    | FeatureMix
    | GetItem
    | RecomputeRegion
)


@dataclass(frozen=True)
class _Pending:
    """Operation that a coefficient may still be folded into."""

    made: Normalise | Convolve | MaskChannels


@dataclass(frozen=True)
class _Scaled:
    """Term of a sum that has not been taken."""

    coefficient: Coefficient
    value: "int | _Pending"


def reads(operation: Operation) -> tuple[int, ...]:
    """Return the values that an operation reads."""
    match operation:
        case WeightedSum(values) | ConcatFeatures(values) | RecomputeRegion(values):
            return values
        case _:
            return (operation.x,)


IMAGE = 0
"""Number of the value that is the network's input."""


class Plan:
    """Operations of a network in order, by the number of the value that each makes.

    `logits` and `auxiliary` are the numbers of its outputs.
    """

    def __init__(
        self,
        network: Network,
        coefficients: Coefficients,
        *,
        auxiliary: bool,
        present: bool = False,
    ) -> None:
        """Plan `network`; `present`: mixtures have a factor for each edge (its presence)."""
        self.operations: dict[int, Operation] = {}
        self.aliases: dict[str, str] = {}
        """Slots without weights that see the same features as another one -> that one, whose module
        replaces theirs."""
        self._coefficients = coefficients
        self._present = present
        self._known: dict[Operation, int] = {}
        self._stateless: dict[tuple[Primitive, int], Op] = {}
        made = {INPUT: IMAGE}
        for step in network.steps:
            given = [made[name] for name in step.inputs]
            if isinstance(step.body, Cell):
                made[step.name] = self._cell(step.body, given)
            else:
                made[step.name] = self._value(self._whole(step.body, given[0]))
        self.logits = made[network.output]
        self.auxiliary = made[network.auxiliary] if auxiliary and network.auxiliary else None

    def _cell(self, cell: Cell, given: list[int]) -> int:
        pairs = zip(cell.inputs, given, strict=True)
        nodes = [self._value(self._eval(expr, x)) for expr, x in pairs]
        for node in cell.inner():
            terms: list[_Scaled] = []
            for edge in cell.into(node):
                terms += self._whole(edge.body, nodes[edge.source])
            nodes.append(self._value(terms))
        return self._concat([nodes[node] for node in cell.output])

    def _whole(self, body: Expr, x: int) -> list[_Scaled]:
        """Return the terms of an edge or a step, times its presence."""
        if not self._present:
            return self._eval(body, x)
        decisions = dict.fromkeys(choice.decision.name for choice in choices(body))
        return self._times(
            tuple(Factor(self._coefficients.rows[name]) for name in decisions), body, x
        )

    def _times(self, factors: Coefficient, expr: Expr, x: int) -> list[_Scaled]:
        """Return `factors` times the expression, moved inside to operations that can fold them."""
        match expr:
            case Chain((*before, Op(Shuffle()) as last)):
                return self._module(
                    last, self._value(self._times(factors, Chain(tuple(before)), x))
                )
            case Chain((*before, Concat() | Choice() as last)) if before:
                return self._times(factors, last, self._value(self._eval(Chain(tuple(before)), x)))
            case Chain((Concat() as only,)):
                return self._times(factors, only, x)
            case Concat(branches):
                values = [self._value(self._times(factors, branch, x)) for branch in branches]
                return [_Scaled((), self._concat(values))]
            case _:
                terms = self._eval(expr, x)
                return [_Scaled((*factors, *term.coefficient), term.value) for term in terms]

    def _eval(self, expr: Expr, x: int) -> list[_Scaled]:
        match expr:
            case Op():
                return self._module(expr, x)
            case Chain(items):
                terms = [_Scaled((), x)]
                for item in items:
                    terms = self._eval(item, self._value(terms))
                return terms
            case Concat(branches):
                values = [self._value(self._eval(branch, x)) for branch in branches]
                return [_Scaled((), self._concat(values))]
            case Choice():
                return self._choice(expr, x)

    def _module(self, module: Op, x: int) -> list[_Scaled]:
        match module.primitive:
            case Conv(offset=0) as conv if conv.kernel % 2:
                frame = Frame.of(module)
                made = Geometry(conv.c_in, conv.c_out, conv.groups, conv.step, frame)
                return [_Scaled((), _Pending(Convolve(Merged(made, (Term(module, None),)), x)))]
            case BatchNorm():
                return [_Scaled((), _Pending(Normalise(module, None, x)))]
            case _:
                return [_Scaled((), self._emit(self._shared(module, x)))]

    def _shared(self, module: Op, x: int) -> Call:
        """Return the call of a module; modules without weights are the same whatever their slot."""
        if module.primitive.params:
            return Call(module, x)
        known = self._stateless.setdefault((module.primitive, x), module)
        if known.slot != module.slot:
            self.aliases[module.slot] = known.slot
        return Call(known, x)

    def _choice(self, choice: Choice, x: int) -> list[_Scaled]:
        factors = {
            option: Factor.of(choice, option, self._coefficients.rows) for option in choice.options
        }
        if choice.form == "sum":
            terms: list[_Scaled] = []
            for option, factor in factors.items():
                inner = self._eval(option.body, x)
                terms += [_Scaled((factor, *term.coefficient), term.value) for term in inner]
            return terms
        weighed = [(option.body, (factor,)) for option, factor in factors.items()]
        if choice.form == "kernel":
            kernel = Merged(
                geometry(choice),
                tuple(Term(body, self._coefficients.index(c)) for body, c in weighed),
            )
            return [_Scaled((), _Pending(Convolve(kernel, x)))]
        if choice.form == "mask":
            return [_Scaled((), _Pending(self._mask(choice, list(factors.values()), x)))]
        return self._stack(weighed, x)

    def _mask(self, choice: Choice, factors: list[Factor], x: int) -> MaskChannels:
        widths = mask_widths(choice)
        assert widths is not None, "a network is verified before it is lowered"
        numbers = tuple(self._coefficients.index((factor,)) for factor in factors)
        return MaskChannels(masked_channels(choice), widths, numbers, x)

    def _stack(self, weighed: list[tuple[Expr, Coefficient]], x: int) -> list[_Scaled]:
        """Put the depthwise outputs of separable convs side by side before one pointwise conv."""
        inner: list[int] = []
        terms: list[Term] = []
        for body, coefficient in weighed:
            depthwise, pointwise = chain(body).items
            inner.append(self._value(self._eval(depthwise, x)))
            terms.append(Term(pointwise, self._coefficients.index(coefficient)))
        (first, *_) = terms
        (conv,) = (module.primitive for module in first.modules)
        assert isinstance(conv, Conv), "the second part of a separable conv"
        wide = Geometry(conv.c_in * len(terms), conv.c_out, 1, 1, Frame(1, 1, 0))
        kernel = Merged(wide, tuple(terms), stacked=True)
        return [_Scaled((), _Pending(Convolve(kernel, self._concat(inner))))]

    def _value(self, terms: Iterable[_Scaled]) -> int:
        """Add up the terms to one value."""
        plain: list[int] = []
        weighed: dict[int, list[Coefficient]] = {}
        for term in terms:
            if isinstance(term.value, _Pending):
                plain.append(self._emit(self._folded(term.value.made, term.coefficient)))
            elif self._is_zero(term.value):
                continue
            elif term.coefficient:
                weighed.setdefault(term.value, []).append(term.coefficient)
            else:
                plain.append(term.value)
        values = list(plain)
        numbers: list[int | None] = [None] * len(plain)
        for value, coefficients in weighed.items():
            for coefficient in coefficients:
                values.append(value)
                numbers.append(self._coefficients.index(coefficient))
        if not values:  # nothing but zeros: they give the shape
            return next(term.value for term in terms if isinstance(term.value, int))
        if len(values) == 1 and numbers[0] is None:
            return values[0]
        return self._emit(WeightedSum(tuple(values), tuple(numbers)))

    def _is_zero(self, value: int) -> bool:
        made = self.operations.get(value)
        return isinstance(made, Call) and made.module.primitive.zero

    def _folded(
        self, made: Normalise | Convolve | MaskChannels, coefficient: Coefficient
    ) -> Operation:
        if not coefficient:
            return made
        if isinstance(made, Normalise):
            return Normalise(made.module, self._coefficients.index(coefficient), made.x)
        if isinstance(made, MaskChannels):
            scaled = (self._coefficients.times(c, coefficient) for c in made.coefficients)
            return replace(made, coefficients=tuple(scaled))
        return Convolve(self._scaled(made.kernel, coefficient), made.x)

    def _scaled(self, kernel: Merged, coefficient: Coefficient) -> Merged:
        terms = (
            Term(term.body, self._coefficients.times(term.coefficient, coefficient))
            for term in kernel.terms
        )
        return Merged(kernel.geometry, tuple(terms), kernel.stacked)

    def _concat(self, values: list[int]) -> int:
        return values[0] if len(values) == 1 else self._emit(ConcatFeatures(tuple(values)))

    def _emit(self, operation: Operation) -> int:
        if operation not in self._known:
            value = len(self.operations) + 1
            self.operations[value] = operation
            self._known[operation] = value
        return self._known[operation]
