"""Convolutions and linear layers, the only primitives with multiply-accumulates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State, slice_of
from archwright.graph.primitive import Channels, Counted, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class KernelNorm:
    """Normalisation of a kernel, K -> (K - mean) / scale (TopoNAS, eq. 28).

    Mean and scale are those of the whole `kernel` or of each output `filter`; the scale is the
    `deviation` of the taps, or the `norm` of their vector, under which kernels of all sizes have
    equal weight.
    """

    granularity: Literal["kernel", "filter"]
    scale: Literal["deviation", "norm"]

    def taps(self, conv: "Conv") -> int:
        """Return the number of weights that are normalised together."""
        return conv.params // (conv.c_out if self.granularity == "filter" else 1)

    def normalise(self, weight: "Tensor") -> "Tensor":
        """Normalise kernels [..., c_out, c_in / groups, K, K]."""
        import torch

        axes = (-3, -2, -1) if self.granularity == "filter" else (-4, -3, -2, -1)
        centred = weight - weight.mean(axes, keepdim=True)
        energy = centred.square()
        energy = (
            energy.mean(axes, keepdim=True)
            if self.scale == "deviation"
            else energy.sum(axes, keepdim=True)
        )
        # a kernel all of whose taps are equal has no scale: the floor keeps its gradient finite
        return centred * energy.clamp(min=torch.finfo(weight.dtype).tiny ** 0.5).rsqrt()


@register_primitive("conv")
@dataclass(frozen=True)
class Conv(Primitive):
    """Convolution without bias; odd kernels are centred, so that stride 1 keeps H and W.

    With `groups` equal to both widths it is depthwise. A strided kernel of 1 may read the pixels
    `offset` further down and right, as in the second half of a factorised reduction, with zeros
    past the border; the size of the output is the same. With a `norm` the kernel is the normalised
    weight.
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
    aten: ClassVar[tuple[str, ...]] = (
        *("conv2d.default", "slice.Tensor", "pad.default"),
        *("mean.dim", "sub.Tensor", "square.default", "sum.dim_IntList"),  # of a norm
        *("clamp.default", "rsqrt.default", "mul.Tensor"),
    )

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            GraphError: a number is not positive, the groups do not divide the channels, or there
                is an offset that such a kernel cannot have.
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
        """Whether each channel is convolved separately."""
        return 1 < self.groups == self.c_in == self.c_out

    @property
    def pointwise(self) -> bool:
        """Whether it only mixes channels: one tap at stride 1, in one group."""
        return self.kernel == self.step == self.groups == 1 and not self.offset

    @property
    def padding(self) -> int:
        """Number of zeros that are padded on each side."""
        return self.dilation * ((self.kernel - 1) // 2)

    def kernel_of(self, weight: "Tensor") -> "Tensor":
        """Return the kernel [c_out, c_in / groups, K, K], normalised if there is a `norm`."""
        return weight if self.norm is None else self.norm.normalise(weight)

    @property
    @override
    def channelwise(self) -> bool:
        return self.depthwise or self.c_in == self.c_out == 1

    @property
    @override
    def linear(self) -> bool:
        return True

    @property
    @override
    def resizable(self) -> bool:
        return self.norm is None and self.groups in (1, self.c_out)

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
    def resized(self, state: State) -> "Primitive":
        if not self.resizable:
            return super().resized(state)
        c_out, a_group, *_ = state["weight"].shape
        groups = c_out if self.groups > 1 else 1
        return replace(self, c_in=a_group * groups, c_out=c_out, groups=groups)

    @override
    def state_for(self, other: Primitive, state: State) -> State:
        if isinstance(other, Conv) and other.norm != self.norm:
            return {"weight": self.kernel_of(state["weight"])}
        return state

    @override
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        if self.groups == 1 and not self.channelwise:
            return wanted
        return super().channels_made(read, wanted, shape)

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "Conv":
        if self.groups > 1 and not self.depthwise:
            raise GraphError(
                f"{self.label()} of {self.groups} groups cannot be made narrower: only "
                f"convolutions of one group and depthwise ones can"
            )
        if self.norm is not None and self.norm.granularity == "kernel":
            raise GraphError(
                f"{self.label()} cannot be made narrower: its whole kernel is normalised; "
                f"normalise each filter, or none"
            )
        groups = len(made) if self.depthwise else 1
        return replace(self, c_in=len(read), c_out=len(made), groups=groups, norm=None)

    @override
    def narrowed_state(self, state: State, read: Channels, made: Channels) -> State:
        kernel = self.kernel_of(state["weight"])[[*made]]
        return {"weight": kernel if self.channelwise else kernel[:, [*read]]}

    @override
    def build(self) -> "nn.Module":
        return _conv_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        before = [self.padding] * 2
        after = list(before)
        if self.offset:
            x = slice_of(graph, x, [self.offset] * 2, shape[1:], axes=[2, 3])
            # what the view lacks where the stride does not divide the size: see `forward`
            after = [self.offset if size % self.step else 0 for size in shape[1:]]
        return graph.node(
            "Conv",
            [x, graph.constant(self.kernel_of(state["weight"]))],
            kernel_shape=[self.kernel] * 2,
            strides=[self.step] * 2,
            dilations=[self.dilation] * 2,
            pads=[*before, *after],
            group=self.groups,
        )

    @override
    def label(self) -> str:
        kind = "dw" if self.depthwise else "pw" if self.kernel == 1 else "conv"
        size = "" if self.kernel == 1 else f"{self.kernel}"
        dilation = f"d{self.dilation}" if self.dilation > 1 else ""
        offset = f"+{self.offset}" if self.offset else ""
        label = f"{kind}{size}{dilation}" + (f"/{self.step}" if self.step > 1 else "") + offset
        return f"{label}*" if self.norm else label


@register_primitive("linear")
@dataclass(frozen=True)
class Linear(Primitive):
    """Linear classifier: [B, C, 1, 1] -> [B, classes]."""

    c_in: int
    c_out: int
    bias: bool = True

    aten: ClassVar[tuple[str, ...]] = ("flatten.using_ints", "linear.default")

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

    @property
    @override
    def resizable(self) -> bool:
        return True

    @override
    def split_channels(self, parts: int) -> "Linear":
        return replace(self, c_in=self._part(self.c_in, parts), c_out=self._part(self.c_out, parts))

    @override
    def resized(self, state: State) -> "Linear":
        c_out, c_in = state["weight"].shape
        return replace(self, c_in=c_in, c_out=c_out)

    @override
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        return wanted

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "Linear":
        return replace(self, c_in=len(read), c_out=len(made))

    @override
    def narrowed_state(self, state: State, read: Channels, made: Channels) -> State:
        cut = super().narrowed_state(state, read, made)
        return {**cut, "weight": cut["weight"][:, [*read]]}

    @override
    def build(self) -> "nn.Module":
        return _linear_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        given = [graph.node("Flatten", [x], axis=1), graph.constant(state["weight"])]
        given += [graph.constant(state["bias"])] if self.bias else []
        return graph.node("Gemm", given, transB=1)

    @override
    def label(self) -> str:
        return "linear"


@cache
def _conv_type() -> "Callable[[Conv], nn.Module]":
    from torch import Tensor, nn
    from torch.nn import functional

    class ConvModule(nn.Conv2d):
        """Convolution without bias whose windows start `offset` pixels further down and right."""

        def __init__(self, described: Conv) -> None:
            super().__init__(
                described.c_in,
                described.c_out,
                described.kernel,
                described.step,
                described.padding,
                described.dilation,
                described.groups,
                bias=False,
            )
            self.described = described

        @override
        def forward(self, input: Tensor) -> Tensor:
            offset = self.described.offset
            if offset:
                # Where the stride divides the size, the last pixels that are cut off are not
                # missed and a view suffices; elsewhere zeros take their place.
                below, right = (
                    offset if size % step else 0
                    for size, step in zip(input.shape[2:], self.stride, strict=True)
                )
                input = input[:, :, offset:, offset:]
                if below or right:
                    input = functional.pad(input, (0, right, 0, below))
            return self._conv_forward(input, self.described.kernel_of(self.weight), None)

    return ConvModule


@cache
def _linear_type() -> "Callable[[Linear], nn.Module]":
    from torch import Tensor, nn

    class LinearModule(nn.Linear):
        """Linear layer: [B, C, 1, 1] -> [B, classes]."""

        def __init__(self, described: Linear) -> None:
            super().__init__(described.c_in, described.c_out, bias=described.bias)

        @override
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input.flatten(1))

    return LinearModule
