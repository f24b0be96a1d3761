"""Pools: summaries of windows of pixels, without weights."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State
from archwright.graph.ops.pointwise import BatchNorm
from archwright.graph.primitive import Channels, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Pool(Primitive):
    """Base class of pools: a window, and in a supernet the affine-free batch norm behind it.

    Pool and norm are one module, as in Table II of the TopoNAS paper. Windows are centred and may
    reach past the border, so that an odd window, or an even one at its own stride, makes
    ceil(size / stride); with `valid` they stay inside.
    """

    kernel: int
    step: int = 1
    norm: int = 0
    """Channels of the batch norm; 0: there is none."""
    valid: bool = False

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            GraphError: one is too small.
        """
        self._require_positive("kernel", "step")
        if self.norm < 0:
            raise GraphError(f"a pool's norm has at least 0 channels, got {self.norm}")

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "Pool":
        return replace(self, norm=len(made) if self.norm else 0)

    @property
    def padding(self) -> int:
        """Positions that are padded on each side; maximum and mean ignore them."""
        return 0 if self.valid else (self.kernel - 1) // 2

    @property
    @override
    def channelwise(self) -> bool:
        return True

    @property
    @override
    def normalises(self) -> bool:
        return self.norm > 0

    @property
    @override
    def stateful(self) -> bool:
        return self.norm > 0

    @property
    @override
    def stride(self) -> int:
        return self.step

    @property
    @override
    def resizable(self) -> bool:
        return True

    @override
    def split_channels(self, parts: int) -> "Pool":
        return replace(self, norm=self._part(self.norm, parts))

    @override
    def resized(self, state: State) -> "Pool":
        return (
            replace(self, norm=self._norm.resized(_behind(state)).channels) if self.norm else self
        )

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if self.norm:
            self._require_channels(shape, self.norm)
        height, width = map(self._windows, shape[1:])
        return self._fitted(shape, Shape(shape.channels, height, width))

    def _windows(self, size: int) -> int:
        """Return the number of windows along a side of `size` pixels."""
        spare = size + 2 * self.padding - self.kernel
        if not self._ceil:
            return spare // self.step + 1
        windows = -(-spare // self.step) + 1
        # none may start in the padding behind the last pixel
        return windows - 1 if (windows - 1) * self.step >= size + self.padding else windows

    @property
    def _ceil(self) -> bool:
        """Whether the last window can reach past the border."""
        return not self.valid and self.kernel % 2 == 0

    @property
    def _norm(self) -> BatchNorm:
        return BatchNorm(self.norm, affine=False)

    def _normed(self, window: "nn.Module") -> "nn.Module":
        from torch import nn

        return nn.Sequential(window, self._norm.build()) if self.norm else window

    def _to_onnx(
        self, kind: str, graph: OnnxGraph, x: str, shape: Shape, state: State, **attributes: Any
    ) -> str:
        made = graph.node(kind, [x], **attributes, **self._onnx_windows(shape))
        return self._norm.to_onnx(graph, made, shape, _behind(state)) if self.norm else made

    def _onnx_windows(self, shape: Shape) -> dict[str, Any]:
        """Return the ONNX kernel, strides and padding that give the pool's number of windows.

        A last window that reaches past the border is written as padding, since runtimes disagree
        on rounding up.
        """
        reach = [(n - 1) * self.step + self.kernel for n in self.out_shape(shape)[1:]]
        pairs = zip(reach, shape[1:], strict=True)
        ends = [max(end - size - self.padding, 0) for end, size in pairs]
        return {
            "kernel_shape": [self.kernel] * 2,
            "strides": [self.step] * 2,
            "pads": [self.padding, self.padding, *ends],
        }

    def _suffix(self) -> str:
        """Return window, stride and norm, as a label shows them."""
        stride = f"/{self.step}" if self.step > 1 else ""
        return f"{self.kernel}{stride}{'_bn' if self.norm else ''}"


def _behind(state: State) -> State:
    """Return the state of the batch norm behind a window."""
    return {name.removeprefix("1."): value for name, value in state.items()}


@register_primitive("max_pool")
@dataclass(frozen=True)
class MaxPool(Pool):
    """Maximum of each window."""

    aten: ClassVar[tuple[str, ...]] = ("max_pool2d.default", *BatchNorm.aten)

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return self._normed(
            nn.MaxPool2d(self.kernel, self.step, self.padding, ceil_mode=self._ceil)
        )

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return self._to_onnx("MaxPool", graph, x, shape, state)

    @override
    def label(self) -> str:
        return f"maxpool{self._suffix()}"


@register_primitive("avg_pool")
@dataclass(frozen=True)
class AvgPool(Pool):
    """Mean of each window."""

    aten: ClassVar[tuple[str, ...]] = ("avg_pool2d.default", *BatchNorm.aten)

    @property
    @override
    def linear(self) -> bool:
        return not self.norm

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        window = nn.AvgPool2d(
            self.kernel, self.step, self.padding, ceil_mode=self._ceil, count_include_pad=False
        )
        return self._normed(window)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return self._to_onnx("AveragePool", graph, x, shape, state, count_include_pad=0)

    @override
    def label(self) -> str:
        return f"avgpool{self._suffix()}"


@register_primitive("global_avg_pool")
@dataclass(frozen=True)
class GlobalAvgPool(Primitive):
    """Mean over all pixels."""

    aten: ClassVar[tuple[str, ...]] = ("adaptive_avg_pool2d.default",)

    @property
    @override
    def resizable(self) -> bool:
        return True

    @property
    @override
    def channelwise(self) -> bool:
        return True

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
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return graph.node("GlobalAveragePool", [x])

    @override
    def label(self) -> str:
        return "gap"
