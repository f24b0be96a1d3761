"""What multiplies features by learned weights.

Only these count as multiply-accumulates.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.primitive import Counted, Primitive, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class KernelNorm:
    """Normalises a kernel, K -> (K - mean) / scale (TopoNAS, eq. 28).

    Mean and scale are those of the whole `kernel` or of each output `filter`; the scale is the
    `deviation` of the taps, or the `norm` of their vector, under which kernels of all sizes speak
    equally loud.
    """

    granularity: Literal["kernel", "filter"]
    scale: Literal["deviation", "norm"]

    def taps(self, conv: "Conv") -> int:
        """How many weights are normalised together."""
        return conv.params // (conv.c_out if self.granularity == "filter" else 1)


@dataclass(frozen=True)
class Conv(Primitive):
    """A convolution without bias; odd kernels are centred, so that stride 1 keeps H and W.

    With `groups` equal to both widths it is depthwise. A strided kernel of 1 may read the pixels
    `offset` further down and right, as in the second half of a factorised reduction, with zeros
    past the border; the size made is the same. With a `norm` the kernel that convolves is the
    normalised weight.
    """

    c_in: int
    c_out: int
    kernel: int
    step: int = 1
    dilation: int = 1
    groups: int = 1
    offset: int = 0
    norm: KernelNorm | None = None

    counted_as: ClassVar[Counted] = "conv"

    def __post_init__(self) -> None:
        """Check that there is such a convolution.

        Raises:
            GraphError: a number is not positive, the groups do not divide the channels, or there
                is an offset where it means nothing.
        """
        sizes = (self.c_in, self.c_out, self.kernel, self.step, self.dilation, self.groups)
        if min(sizes) < 1:
            raise GraphError(
                f"no convolution of {self.c_in} -> {self.c_out} channels, kernel {self.kernel}, "
                f"stride {self.step}, dilation {self.dilation}, groups {self.groups}: all must be "
                f"at least 1"
            )
        if self.c_in % self.groups or self.c_out % self.groups:
            raise GraphError(
                f"{self.c_in} -> {self.c_out} channels do not divide into {self.groups} groups"
            )
        if self.offset and not (0 < self.offset < self.step and self.kernel == 1):
            raise GraphError(
                f"offset {self.offset} of {self.label()} needs a kernel of 1 and a stride above it"
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
        return self._fitted(shape, Shape(self.c_out, height, width))

    @override
    def macs(self, shape: Shape) -> int:
        out = self.out_shape(shape)
        return self.params * out.height * out.width

    @override
    def split_channels(self, parts: int) -> "Conv":
        c_in, c_out = self._part(self.c_in, parts), self._part(self.c_out, parts)
        groups = self.groups if self.groups == 1 else self._part(self.groups, parts)
        return replace(self, c_in=c_in, c_out=c_out, groups=groups)

    @override
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Conv(
            self.c_in,
            self.c_out,
            self.kernel,
            stride=self.step,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            offset=self.offset,
            norm=self.norm,
        )

    @override
    def label(self) -> str:
        kind = "dw" if self.depthwise else "pw" if self.kernel == 1 else "conv"
        size = "" if self.kernel == 1 else f"{self.kernel}"
        dilation = f"d{self.dilation}" if self.dilation > 1 else ""
        offset = f"+{self.offset}" if self.offset else ""
        label = f"{kind}{size}{dilation}" + (f"/{self.step}" if self.step > 1 else "") + offset
        return f"{label}*" if self.norm else label


@dataclass(frozen=True)
class Linear(Primitive):
    """A classifier: [B, C, 1, 1] -> [B, classes]."""

    c_in: int
    c_out: int
    bias: bool = True

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("c_in", "c_out")

    @property
    @override
    def linear(self) -> bool:
        return not self.bias

    @property
    @override
    def params(self) -> int:
        return self.c_out * (self.c_in + self.bias)

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if shape != (self.c_in, 1, 1):
            raise GraphError(f"linear takes {self.c_in}x1x1, got {shape}")
        return Shape(self.c_out, 1, 1)

    @override
    def macs(self, shape: Shape) -> int:
        return self.c_in * self.c_out

    @override
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Linear(self.c_in, self.c_out, bias=self.bias)

    @override
    def label(self) -> str:
        return "linear"
