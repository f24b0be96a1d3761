"""The primitives: everything that an architecture can be made of.

Legend: C channels, H height, W width, K kernel size, S stride.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.ir.primitive import Counted, Primitive, Shape, strided

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Zero(Primitive):
    """Zeros, at the width and resolution that the edge should have had: no connection."""

    channels: int
    step: int = 1

    counted_as: ClassVar[Counted] = "none"

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
        return Shape(self.channels, *strided(shape, self.step))

    @override
    def build(self) -> "nn.Module":
        from archwright.ir import _modules

        return _modules.Zeros(self.channels, self.step)

    @override
    def label(self) -> str:
        return "zero"


@dataclass(frozen=True)
class ReLU(Primitive):
    """max(x, 0)."""

    @override
    def out_shape(self, shape: Shape) -> Shape:
        return shape

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.ReLU()

    @override
    def label(self) -> str:
        return "relu"


@dataclass(frozen=True)
class Conv(Primitive):
    """A convolution without bias; odd kernels are centred, so that stride 1 keeps H and W.

    With `groups` equal to both widths it is depthwise. With an `offset` the windows start so many
    pixels further down and right, as in the second half of a factorised reduction.
    """

    c_in: int
    c_out: int
    kernel: int
    step: int = 1
    dilation: int = 1
    groups: int = 1
    offset: int = 0

    counted_as: ClassVar[Counted] = "conv"

    def __post_init__(self) -> None:
        """Check that the groups divide the channels.

        Raises:
            GraphError: they do not.
        """
        if self.c_in % self.groups or self.c_out % self.groups:
            raise GraphError(
                f"{self.c_in} -> {self.c_out} channels do not divide into {self.groups} groups"
            )

    @property
    def depthwise(self) -> bool:
        """Whether each channel is convolved alone."""
        return 1 < self.groups == self.c_in == self.c_out

    @property
    def pointwise(self) -> bool:
        """Whether it only mixes channels: one tap at stride 1, in one group."""
        return self.kernel == self.step == self.groups == 1 and not self.offset

    @property
    def padding(self) -> int:
        """Zeros put on each side."""
        return self.dilation * ((self.kernel - 1) // 2)

    @property
    @override
    def linear(self) -> bool:
        return True

    @property
    @override
    def params(self) -> int:
        return self.c_out * (self.c_in // self.groups) * self.kernel**2

    @property
    @override
    def stride(self) -> int:
        return self.step

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.c_in)
        spare = 2 * self.padding - self.dilation * (self.kernel - 1) - 1
        height, width = ((size + spare) // self.step + 1 for size in shape[1:])
        if min(height, width) < 1:
            raise GraphError(f"{self.label()} does not fit into {shape.height}x{shape.width} pixels")
        return Shape(self.c_out, height, width)

    @override
    def macs(self, shape: Shape) -> int:
        out = self.out_shape(shape)
        return self.params * out.height * out.width

    @override
    def build(self) -> "nn.Module":
        from archwright.ir import _modules

        return _modules.Conv(
            self.c_in,
            self.c_out,
            self.kernel,
            stride=self.step,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            offset=self.offset,
        )

    @override
    def label(self) -> str:
        kind = "dw" if self.depthwise else "pw" if self.kernel == 1 else "conv"
        size = "" if self.kernel == 1 else f"{self.kernel}"
        dilation = f"d{self.dilation}" if self.dilation > 1 else ""
        offset = f"+{self.offset}" if self.offset else ""
        return f"{kind}{size}{dilation}" + (f"/{self.step}" if self.step > 1 else "") + offset


@dataclass(frozen=True)
class BatchNorm(Primitive):
    """Batch normalisation; in a supernet without `affine`, the learned scale and shift."""

    channels: int
    affine: bool = True

    @property
    @override
    def stateful(self) -> bool:
        return True  # running statistics, also without parameters

    @property
    @override
    def params(self) -> int:
        return 2 * self.channels if self.affine else 0

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return shape

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.BatchNorm2d(self.channels, affine=self.affine)

    @override
    def label(self) -> str:
        return "bn"


@dataclass(frozen=True)
class Pool(Primitive):
    """What the pools share: a window, and in a supernet the affine-free batch norm behind it.

    Pool and norm are one module, as in Table II of the TopoNAS paper. Odd windows are centred;
    even ones, or with `valid` all, take no padding.
    """

    kernel: int
    step: int = 1
    norm: int = 0
    """Channels of the batch norm; 0: there is none."""
    valid: bool = False

    @property
    def padding(self) -> int:
        """Positions added on each side; they take no part in maximum or mean."""
        return 0 if self.valid else (self.kernel - 1) // 2

    @property
    @override
    def stateful(self) -> bool:
        return self.norm > 0

    @property
    @override
    def stride(self) -> int:
        return self.step

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if self.norm:
            self._require_channels(shape, self.norm)
        if not self.valid:
            return Shape(shape.channels, *strided(shape, self.step))
        height, width = ((size - self.kernel) // self.step + 1 for size in shape[1:])
        if min(height, width) < 1:
            raise GraphError(f"{self.label()} does not fit into {shape.height}x{shape.width} pixels")
        return Shape(shape.channels, height, width)

    def _normed(self, window: "nn.Module") -> "nn.Module":
        from torch import nn

        return nn.Sequential(window, nn.BatchNorm2d(self.norm, affine=False)) if self.norm else window

    def _size(self) -> str:
        return f"{self.kernel}" + (f"/{self.step}" if self.step > 1 else "")


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest value of each window."""

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        ceil = not self.valid and self.kernel % 2 == 0
        return self._normed(nn.MaxPool2d(self.kernel, self.step, self.padding, ceil_mode=ceil))

    @override
    def label(self) -> str:
        return f"maxpool{self._size()}" + ("_bn" if self.norm else "")


@dataclass(frozen=True)
class AvgPool(Pool):
    """The mean of each window."""

    @property
    @override
    def linear(self) -> bool:
        return not self.norm

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        ceil = not self.valid and self.kernel % 2 == 0
        window = nn.AvgPool2d(
            self.kernel, self.step, self.padding, ceil_mode=ceil, count_include_pad=False
        )
        return self._normed(window)

    @override
    def label(self) -> str:
        return f"avgpool{self._size()}" + ("_bn" if self.norm else "")


@dataclass(frozen=True)
class Slice(Primitive):
    """Channels `start` to `stop`, of `channels`."""

    channels: int
    start: int
    stop: int

    counted_as: ClassVar[Counted] = "none"

    @property
    @override
    def linear(self) -> bool:
        return True

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return Shape(self.stop - self.start, shape.height, shape.width)

    @override
    def build(self) -> "nn.Module":
        from archwright.ir import _modules

        return _modules.Slice(self.start, self.stop)

    @override
    def label(self) -> str:
        return f"slice[{self.start}:{self.stop}]"


@dataclass(frozen=True)
class Shuffle(Primitive):
    """Channels dealt out in turn: of `groups` consecutive runs, the first of each, the second, ..."""

    groups: int

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
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.ChannelShuffle(self.groups)

    @override
    def label(self) -> str:
        return f"shuffle{self.groups}"


@dataclass(frozen=True)
class GlobalAvgPool(Primitive):
    """The mean over all pixels."""

    @property
    @override
    def linear(self) -> bool:
        return True

    @override
    def out_shape(self, shape: Shape) -> Shape:
        return Shape(shape.channels, 1, 1)

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.AdaptiveAvgPool2d(1)

    @override
    def label(self) -> str:
        return "gap"


@dataclass(frozen=True)
class Linear(Primitive):
    """A classifier: [B, C, 1, 1] -> [B, classes]."""

    c_in: int
    c_out: int
    bias: bool = True

    @property
    @override
    def params(self) -> int:
        return self.c_out * (self.c_in + self.bias)

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if shape != (self.c_in, 1, 1):
            raise GraphError(f"linear takes {self.c_in}x1x1, got {'x'.join(map(str, shape))}")
        return Shape(self.c_out, 1, 1)

    @override
    def macs(self, shape: Shape) -> int:
        return self.c_in * self.c_out

    @override
    def build(self) -> "nn.Module":
        from archwright.ir import _modules

        return _modules.Linear(self.c_in, self.c_out, bias=self.bias)

    @override
    def label(self) -> str:
        return "linear"
