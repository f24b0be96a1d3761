"""What a primitive is: one basic module, described once.

A primitive says what shape it makes, whether it is linear, what it costs and how it is built.
Passes ask these descriptions; no pass keeps a list of operation names.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from typing_extensions import override

from archwright.errors import GraphError

if TYPE_CHECKING:  # torch takes seconds to import, and descriptions alone do not need it
    from torch import nn


class Shape(NamedTuple):
    """Features of one image: channels, height, width."""

    channels: int
    height: int
    width: int

    @override
    def __str__(self) -> str:
        return "x".join(map(str, self))


Counted = Literal["conv", "non_conv", "none"]


@dataclass(frozen=True)
class Primitive(ABC):
    """One basic module as a value: equal primitives compute the same function of equal state."""

    counted_as: ClassVar[Counted] = "non_conv"
    """The column that the module is counted in, in Table II of the TopoNAS paper."""

    @abstractmethod
    def out_shape(self, shape: Shape) -> Shape:
        """The shape made from `shape`.

        Raises:
            GraphError: the primitive does not take this shape.
        """

    @abstractmethod
    def build(self) -> "nn.Module":
        """A fresh module [B, C, H, W] -> [B, C', H', W'], its weights drawn as torch does."""

    @abstractmethod
    def label(self) -> str:
        """A few characters that name the primitive in a printed expression."""

    @property
    def linear(self) -> bool:
        """Whether f(ax + by) = a f(x) + b f(y), whatever the state."""
        return False

    @property
    def zero(self) -> bool:
        """Whether it gives zeros whatever its input."""
        return False

    @property
    def identity_like(self) -> bool:
        """Whether it hands its input on, but for scale and resolution: never a path to drop."""
        return False

    @property
    def stateful(self) -> bool:
        """Whether it has parameters or buffers, so that its module must name a slot."""
        return self.params > 0

    @property
    def params(self) -> int:
        """Number of learned weights."""
        return 0

    @property
    def stride(self) -> int:
        """Factor by which height and width shrink."""
        return 1

    def split_channels(self, parts: int) -> "Primitive":
        """The same module on one of `parts` equal runs of the channels.

        Raises:
            GraphError: its channels do not divide into so many.
        """
        return self

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates on one image of `shape` (convolutions and linear layers only)."""
        return 0

    def _part(self, channels: int, parts: int) -> int:
        """Channels of one part."""
        if channels % parts:
            raise GraphError(
                f"{self.label()}: {channels} channels do not divide into {parts} equal parts"
            )
        return channels // parts

    def _require_positive(self, *names: str) -> None:
        """Check that fields of these names are at least 1.

        Raises:
            GraphError: one is not (it is named).
        """
        for name in names:
            if getattr(self, name) < 1:
                raise GraphError(
                    f"{type(self).__name__}: {name} must be at least 1, got {getattr(self, name)}"
                )

    def _require_channels(self, shape: Shape, channels: int) -> None:
        if shape.channels != channels:
            raise GraphError(f"{self.label()} takes {channels} channels, got {shape.channels}")

    def _fitted(self, shape: Shape, made: Shape) -> Shape:
        """`made`, if anything is left of `shape`."""
        if min(made.height, made.width) < 1:
            raise GraphError(f"{self.label()} does not fit on {shape.height}x{shape.width} pixels")
        return made
