"""Activation, normalisation and scaling: the same function at every position."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.graph.onnx_form import OnnxGraph, State
from archwright.graph.primitive import Channels, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import nn


@register_primitive("relu")
@dataclass(frozen=True)
class ReLU(Primitive):
    """Rectified linear unit: max(x, 0)."""

    aten: ClassVar[tuple[str, ...]] = ("relu.default",)

    @property
    @override
    def channelwise(self) -> bool:
        return True

    @property
    @override
    def resizable(self) -> bool:
        return True

    @override
    def out_shape(self, shape: Shape) -> Shape:
        return shape

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.ReLU()

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return graph.node("Relu", [x])

    @override
    def label(self) -> str:
        return "relu"


@register_primitive("batch_norm")
@dataclass(frozen=True)
class BatchNorm(Primitive):
    """Batch normalisation; `affine`: with a learned scale and shift for each channel."""

    channels: int
    affine: bool = True

    eps: ClassVar[float] = 1e-5
    """Constant that is added to the variance."""
    aten: ClassVar[tuple[str, ...]] = ("batch_norm.default",)

    @property
    @override
    def channelwise(self) -> bool:
        return True

    @property
    @override
    def normalises(self) -> bool:
        return True

    @property
    @override
    def resizable(self) -> bool:
        return True

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
    def split_channels(self, parts: int) -> "BatchNorm":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "BatchNorm":
        return replace(self, channels=len(made))

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.BatchNorm2d(self.channels, eps=self.eps, affine=self.affine)

    @override
    def resized(self, state: State) -> "BatchNorm":
        return replace(self, channels=len(state["running_mean"]))

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        mean, variance = state["running_mean"], state["running_var"]
        scale = state["weight"] if self.affine else mean.new_ones(mean.shape)
        shift = state["bias"] if self.affine else mean.new_zeros(mean.shape)
        given = [graph.constant(value) for value in (scale, shift, mean, variance)]
        return graph.node("BatchNormalization", [x, *given], epsilon=self.eps)

    @override
    def label(self) -> str:
        return "bn"


@register_primitive("scale")
@dataclass(frozen=True)
class Scale(Primitive):
    """Multiplication by a learned weight for each channel, or with `shared` by one for all.

    Weights are initialised to one, so that it starts as the identity.
    """

    channels: int
    shared: bool = False

    aten: ClassVar[tuple[str, ...]] = ("mul.Tensor", "to.dtype")

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
    def params(self) -> int:
        return 1 if self.shared else self.channels

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return shape

    @override
    def split_channels(self, parts: int) -> "Scale":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "Scale":
        return replace(self, channels=len(made))

    @override
    def narrowed_state(self, state: State, read: Channels, made: Channels) -> State:
        return state if self.shared else super().narrowed_state(state, read, made)

    @override
    def build(self) -> "nn.Module":
        return _scale_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        return graph.node("Mul", [x, graph.constant(state["weight"])])

    @override
    def label(self) -> str:
        return "scale1" if self.shared else "scale"


@cache
def _scale_type() -> "Callable[[Scale], nn.Module]":
    import torch
    from torch import Tensor, nn

    class ScaleModule(nn.Module):
        """Product of [B, C, H, W] and `weight` [C, 1, 1], or [1, 1, 1] if it is shared."""

        def __init__(self, described: Scale) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(described.params, 1, 1))

        @override
        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight.to(x.dtype)

    return ScaleModule
