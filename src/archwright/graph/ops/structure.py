"""What only moves features about: none of it computes."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.primitive import Counted, Primitive, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Zero(Primitive):
    """Zeros, at the width and resolution that the edge should have had: no connection."""

    channels: int
    step: int = 1

    counted_as: ClassVar[Counted] = "none"

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("channels", "step")

    @property
    @override
    def linear(self) -> bool:
        return True

    @property
    @override
    def zero(self) -> bool:
        return True

    @property
    @override
    def stride(self) -> int:
        return self.step

    @override
    def out_shape(self, shape: Shape) -> Shape:
        height, width = (-(-size // self.step) for size in shape[1:])
        return Shape(self.channels, height, width)

    @override
    def split_channels(self, parts: int) -> "Zero":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Zeros(self.channels, self.step)

    @override
    def label(self) -> str:
        return "zero"


@dataclass(frozen=True)
class Slice(Primitive):
    """Of `channels`, those from `start` up to but not including `stop`."""

    channels: int
    start: int
    stop: int

    counted_as: ClassVar[Counted] = "none"

    def __post_init__(self) -> None:
        """Check that there is something to take.

        Raises:
            GraphError: the range is empty or reaches outside.
        """
        if not 0 <= self.start < self.stop <= self.channels:
            raise GraphError(f"{self.label()} takes nothing, or more than {self.channels} channels")

    @property
    @override
    def linear(self) -> bool:
        return True

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return Shape(self.stop - self.start, shape.height, shape.width)

    @override
    def split_channels(self, parts: int) -> "Slice":
        channels, start, stop = (
            self._part(number, parts) for number in (self.channels, self.start, self.stop)
        )
        return Slice(channels, start, stop)

    @override
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Slice(self.start, self.stop)

    @override
    def label(self) -> str:
        return f"slice[{self.start}:{self.stop}]"


@dataclass(frozen=True)
class Shuffle(Primitive):
    """Channels dealt out in turn: of `groups` runs, the first of each, the second of each, ..."""

    groups: int

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("groups")

    @property
    @override
    def linear(self) -> bool:
        return True

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if shape.channels % self.groups:
            raise GraphError(f"{shape.channels} channels do not divide into {self.groups} groups")
        return shape

    @override
    def split_channels(self, parts: int) -> "Shuffle":
        return Shuffle(self._part(self.groups, parts))

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.ChannelShuffle(self.groups)

    @override
    def label(self) -> str:
        return f"shuffle{self.groups}"


@dataclass(frozen=True)
class Subsample(Primitive):
    """Every `step`-th pixel of every `step`-th row, from the first on: a strided identity."""

    step: int

    counted_as: ClassVar[Counted] = "none"

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("step")

    @property
    @override
    def linear(self) -> bool:
        return True

    @property
    @override
    def identity_like(self) -> bool:
        return True

    @property
    @override
    def stride(self) -> int:
        return self.step

    @override
    def out_shape(self, shape: Shape) -> Shape:
        height, width = (-(-size // self.step) for size in shape[1:])
        return Shape(shape.channels, height, width)

    @override
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Subsample(self.step)

    @override
    def label(self) -> str:
        return f"id/{self.step}"
