"""Merged kernels: weighted sums of kernels in a common frame, many at a time.

Legend: G merged kernels of the same structure, C channels, K taps a side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.graph import Choice, Conv, Expr, Op, chain
from archwright.graph.kernel_frame import Frame, signature
from archwright.graph.primitive import Primitive
from archwright.lowering.coefficients import index_tensor
from archwright.lowering.geometry import Geometry

SlotOf = Callable[[Op], nn.Module]
"""Function that returns the torch module in the slot of a module."""


@dataclass(frozen=True)
class Term:
    """Kernel in a sum: a convolution, a separable one, or the identity; times a coefficient."""

    body: Expr
    coefficient: int | None

    @property
    def modules(self) -> tuple[Op, ...]:
        """Return the convolutions in series: none for the identity."""
        return tuple(item for item in chain(self.body).items if isinstance(item, Op))

    @property
    def structure(self) -> tuple[tuple[Primitive, ...], bool]:
        """Return the key of terms that can be computed together."""
        primitives = tuple(module.primitive for module in self.modules)
        return primitives, self.coefficient is None


@dataclass(frozen=True)
class Merged:
    """Kernel made of terms: their sum in the geometry's frame.

    With `stacked`, the terms are concatenated along the input channels instead.
    """

    geometry: Geometry
    terms: tuple[Term, ...]
    stacked: bool = False

    @property
    def is_plain(self) -> bool:
        """Return whether it is the unchanged weight of one convolution."""
        (first, *others) = self.terms
        (conv, *more) = (module.primitive for module in first.modules) if first.modules else (None,)
        alone = not others and not more and first.coefficient is None
        return alone and isinstance(conv, Conv) and conv.norm is None

    @property
    def structure(self) -> object:
        """Return the key of merged kernels that can be computed together."""
        return self.geometry, self.stacked, tuple(term.structure for term in self.terms)


def geometry(choice: Choice) -> Geometry:
    """Return the geometry of the convolution of a merged choice (form `kernel`)."""
    bodies = [option.body for option in choice.options]
    found = next(own for own in map(signature, bodies) if own is not None)
    groups = 1 if found.separable else found.groups
    return Geometry(found.c_in, found.c_out, groups, found.step, Frame.around(bodies))


def merged_kernels(
    group: Sequence[Merged], coefficients: Tensor | None, slot_of: SlotOf
) -> tuple[Tensor, ...]:
    """Return the kernels of merged convolutions of one structure, each [c_out, c_in/g, K, K].

    coefficients: the numbers that the terms' coefficients index [N].
    """
    if group[0].is_plain:
        return tuple(_weight(slot_of(module)) for m in group for module in m.terms[0].modules)
    parts: list[Tensor] = []
    geometry = group[0].geometry
    for position in range(len(group[0].terms)):
        terms = [merged.terms[position] for merged in group]
        kernels = _kernels(terms, geometry, slot_of, coefficients)
        if terms[0].coefficient is not None:
            assert coefficients is not None, "a coefficient needs a mixture"
            numbers = tuple(c for c in (term.coefficient for term in terms) if c is not None)
            scale = coefficients[index_tensor(numbers, coefficients.device)]
            kernels = kernels * scale.to(kernels.dtype).view(-1, 1, 1, 1, 1)
        parts.append(_placed(kernels, Frame.of(terms[0].body), geometry.frame))
    whole = torch.cat(parts, dim=2) if group[0].stacked else reduce(add, parts)
    return whole.unbind(0)


def _kernels(
    terms: Sequence[Term], geometry: Geometry, slot_of: SlotOf, like: Tensor | None
) -> Tensor:
    """Return the terms' own kernels [G, c_out, c_in / groups, K, K]."""
    if not terms[0].modules:
        depthwise = geometry.groups > 1
        eye = torch.ones(geometry.c_out, 1) if depthwise else torch.eye(geometry.c_out)
        eye = eye if like is None else eye.to(like)
        return eye[None, :, :, None, None].expand(len(terms), -1, -1, -1, -1)
    stacks = [
        _stacked([term.modules[depth] for term in terms], slot_of)
        for depth in range(len(terms[0].modules))
    ]
    if len(stacks) == 1:
        return stacks[0]
    depthwise, pointwise = stacks  # [G, C, 1, K, K] and [G, c_out, C, 1, 1]
    return pointwise * depthwise.transpose(1, 2)


def _stacked(modules: Sequence[Op], slot_of: SlotOf) -> Tensor:
    """Return the kernels [G, ...] of convolutions that differ only in their slots."""
    weights = torch.stack([_weight(slot_of(module)) for module in modules])
    conv = modules[0].primitive
    assert isinstance(conv, Conv), "only convolutions are merged"
    return conv.kernel_of(weights)


def _weight(module: nn.Module) -> Tensor:
    assert isinstance(module.weight, Tensor), "a convolution has a weight"
    return module.weight


def _placed(kernels: Tensor, own: Frame, frame: Frame) -> Tensor:
    """Place kernels [G, ..., K, K] in a frame."""
    if own == frame:
        return kernels
    place = frame.place(own)
    if (place.step or 1) == 1:
        before, after = place.start, frame.size - place.stop
        return functional.pad(kernels, (before, after, before, after))
    spread = kernels.new_zeros(*kernels.shape[:-2], frame.size, frame.size)
    spread[..., place, place] = kernels
    return spread
