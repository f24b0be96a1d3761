"""Primitives that select or reorder features, without arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State, slice_of
from archwright.graph.primitive import Channels, Counted, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import nn


@register_primitive("zero")
@dataclass(frozen=True)
class Zero(Primitive):
    """Zeros at the width and resolution of the edge's output: no connection."""

    channels: int
    step: int = 1

    counted_as: ClassVar[Counted] = "none"
    aten: ClassVar[tuple[str, ...]] = ("sym_size.int", "new_zeros.default")

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
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        return wanted

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "Zero":
        return replace(self, channels=len(made))

    @override
    def build(self) -> "nn.Module":
        return _zero_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        made = graph.constant(self.out_shape(shape))
        return graph.node("ConstantOfShape", [graph.node("Concat", [graph.batch(), made], axis=0)])

    @override
    def label(self) -> str:
        return "zero"


@register_primitive("slice")
@dataclass(frozen=True)
class Slice(Primitive):
    """Slice of `channels`: from `start` up to but not including `stop`."""

    channels: int
    start: int
    stop: int

    counted_as: ClassVar[Counted] = "none"
    aten: ClassVar[tuple[str, ...]] = ("slice.Tensor",)

    def __post_init__(self) -> None:
        """Check that the range has channels.

        Raises:
            GraphError: the range is empty or reaches outside.
        """
        if not 0 <= self.start < self.stop <= self.channels:
            raise GraphError(
                f"{self.label()} selects no channels, or others than the {self.channels}"
            )

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
    def channels_needed(self, wanted: Channels, shape: Shape) -> Channels:
        return tuple(channel + self.start for channel in wanted)

    @override
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        return tuple(c - self.start for c in read if self.start <= c < self.stop)

    @override
    def narrowed(self, read: Channels, made: Channels, shape: Shape) -> None:
        return None  # it reads those channels alone that it takes

    @override
    def build(self) -> "nn.Module":
        return _slice_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return slice_of(graph, x, [self.start], [self.stop], axes=[1])

    @override
    def label(self) -> str:
        return f"slice[{self.start}:{self.stop}]"


@register_primitive("shuffle")
@dataclass(frozen=True)
class Shuffle(Primitive):
    """Channel shuffle: of `groups` runs, the first of each, the second of each, ..."""

    groups: int

    aten: ClassVar[tuple[str, ...]] = ("channel_shuffle.default",)

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
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        runs = [-1, self.groups, shape.channels // self.groups, *shape[1:]]
        dealt = graph.node("Reshape", [x, graph.constant(runs)])
        dealt = graph.node("Transpose", [dealt], perm=[0, 2, 1, 3, 4])
        return graph.node("Reshape", [dealt, graph.constant([-1, *shape])])

    @override
    def label(self) -> str:
        return f"shuffle{self.groups}"


@register_primitive("subsample")
@dataclass(frozen=True)
class Subsample(Primitive):
    """Strided identity: every `step`-th pixel of every `step`-th row, from the first on."""

    step: int

    counted_as: ClassVar[Counted] = "none"
    aten: ClassVar[tuple[str, ...]] = ("slice.Tensor",)

    @property
    @override
    def resizable(self) -> bool:
        return True

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("step")

    @property
    @override
    def channelwise(self) -> bool:
        return True

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
        return _subsample_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return slice_of(graph, x, [0, 0], shape[1:], axes=[2, 3], steps=[self.step] * 2)

    @override
    def label(self) -> str:
        return f"id/{self.step}"


@cache
def _zero_type() -> "Callable[[Zero], nn.Module]":
    import torch
    from torch import Tensor, nn

    class ZeroModule(nn.Module):
        """Return zeros [B, channels, ceil(H / stride), ceil(W / stride)] in the layout of x.

        The memory layout of a sum is that of its first part: contiguous zeros would make a whole
        channels-last network convert its features back and forth.
        """

        def __init__(self, described: Zero) -> None:
            super().__init__()
            self.channels = described.channels
            self.stride = described.step

        @override
        def forward(self, x: Tensor) -> Tensor:
            height, width = (-(-size // self.stride) for size in x.shape[2:])
            zeros = x.new_zeros(x.shape[0], self.channels, height, width)
            channels_last = x.stride(1) < x.stride(3)
            return zeros.contiguous(memory_format=torch.channels_last) if channels_last else zeros

    return ZeroModule


@cache
def _slice_type() -> "Callable[[Slice], nn.Module]":
    from torch import Tensor, nn

    class SliceModule(nn.Module):
        """Slice of channels: [B, C, H, W] -> [B, stop - start, H, W]."""

        def __init__(self, described: Slice) -> None:
            super().__init__()
            self.start = described.start
            self.stop = described.stop

        @override
        def forward(self, x: Tensor) -> Tensor:
            return x[:, self.start : self.stop]

    return SliceModule


@cache
def _subsample_type() -> "Callable[[Subsample], nn.Module]":
    from torch import Tensor, nn

    class SubsampleModule(nn.Module):
        """Strided identity: [B, C, H, W] -> [B, C, ceil(H / step), ceil(W / step)]."""

        def __init__(self, described: Subsample) -> None:
            super().__init__()
            self.step = described.step

        @override
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :, :: self.step, :: self.step]

    return SubsampleModule
