"""Frames of kernels: convolutions that can be one, and their kernels in a common frame.

Positions are in pixels from the centre of a window. Kernels of the same dilation share a lattice:
a dilated 3x3 lies inside a dilated 5x5 as a 5x5 kernel of dilation 2 with 25 taps, where a plain
frame would be 9x9 with 81.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from archwright.errors import GraphError
from archwright.graph.expr import Expr, Op, chain
from archwright.graph.ops import Conv


@dataclass(frozen=True)
class Signature:
    """Properties that convolutions must have in common to be merged into one."""

    c_in: int
    c_out: int
    groups: int
    step: int
    separable: bool


def signature(body: Expr) -> Signature | None:
    """Return the signature of `body` if it is a convolution or a separable one, else None."""
    match chain(body).items:
        case (Op(Conv() as conv),):
            return Signature(conv.c_in, conv.c_out, conv.groups, conv.step, separable=False)
        case (Op(Conv() as depth), Op(Conv() as point)):
            if depth.depthwise and point.pointwise:
                return Signature(depth.c_in, point.c_out, depth.groups, depth.step, separable=True)
            return None
        case _:
            return None


@dataclass(frozen=True)
class Frame:
    """Square kernel of `size` taps a side, `dilation` pixels apart, the first at `first`."""

    size: int
    dilation: int
    first: int

    @property
    def taps(self) -> int:
        """Number of taps of the whole frame."""
        return self.size**2

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of the taps along an axis."""
        return tuple(self.first + i * self.dilation for i in range(self.size))

    def place(self, other: "Frame") -> slice:
        """Return the slice of this frame, along an axis, at the taps of `other`.

        Raises:
            GraphError: they do not lie on its lattice.
        """
        start, off = divmod(other.first - self.first, self.dilation)
        step, uneven = divmod(other.dilation, self.dilation) if other.size > 1 else (1, 0)
        stop = start + step * (other.size - 1) + 1
        if off or uneven or start < 0 or stop > self.size:
            raise GraphError(f"{other} does not lie in {self}")
        return slice(start, stop, step)

    @classmethod
    def of(cls, body: Expr) -> "Frame":
        """Return the frame of a convolution, of a separable one, or of the identity.

        Raises:
            GraphError: `body` is none of these.
        """
        match chain(body).items:
            case ():
                return cls(1, 1, 0)
            case (Op(Conv() as conv), *_):
                return cls(conv.kernel, conv.dilation, conv.offset - conv.padding)
            case _:
                raise GraphError(f"{body} is no convolution")

    @classmethod
    def around(cls, bodies: Sequence[Expr]) -> "Frame":
        """Return the smallest centred frame that contains the kernels of all `bodies`."""
        positions = {p for body in bodies for p in cls.of(body).positions}
        reach = max(map(abs, positions))
        spacing = gcd(*(p + reach for p in positions), 2 * reach) or 1
        return cls(2 * reach // spacing + 1, spacing, -reach)
