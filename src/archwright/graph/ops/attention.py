"""Attention: rescaling channels by globally pooled features."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State
from archwright.graph.primitive import Channels, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import nn


@register_primitive("squeeze_excite")
@dataclass(frozen=True)
class SqueezeExcite(Primitive):
    """Channels rescaled by 2 sigmoid(W2 relu(W1 mean(x))), with `hidden` units between.

    Squeeze and excitation (Hu et al., CVPR 2018, eq. 2 to 4) with twice the sigmoid: its last layer
    is initialised to zero, so that it starts as exactly the identity.
    """

    channels: int
    hidden: int

    aten: ClassVar[tuple[str, ...]] = (
        "mean.dim",
        "linear.default",
        "relu.default",
        "sigmoid.default",
        "mul.Tensor",
        "slice.Tensor",
        "unsqueeze.default",
    )

    def __post_init__(self) -> None:
        """Check that there is a hidden unit.

        Raises:
            GraphError: there is none.
        """
        if self.hidden < 1:
            raise GraphError(f"squeeze and excitation needs a unit, got {self.hidden}")

    @property
    @override
    def params(self) -> int:
        return 2 * self.channels * self.hidden + self.hidden + self.channels

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return shape

    @override
    def macs(self, shape: Shape) -> int:
        return 2 * self.channels * self.hidden

    @override
    def split_channels(self, parts: int) -> "SqueezeExcite":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        return read

    @override
    def _narrowed(self, read: Channels, made: Channels) -> "SqueezeExcite":
        return replace(self, channels=len(read))

    @override
    def narrowed_state(self, state: State, read: Channels, made: Channels) -> State:
        columns = {"squeeze.weight": state["squeeze.weight"][:, [*read]]}
        rows = {f"expand.{name}": state[f"expand.{name}"][[*made]] for name in ("weight", "bias")}
        return {**state, **columns, **rows}

    @override
    def build(self) -> "nn.Module":
        return _module_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        made = graph.node("GlobalAveragePool", [x])
        for layer, activation in (("squeeze", "Relu"), ("expand", "Sigmoid")):
            weight = state[f"{layer}.weight"][:, :, None, None]  # on one pixel it is a convolution
            given = [made, graph.constant(weight), graph.constant(state[f"{layer}.bias"])]
            made = graph.node(activation, [graph.node("Conv", given)])
        return graph.node("Mul", [x, graph.node("Mul", [made, graph.constant(2.0)])])

    @override
    def label(self) -> str:
        return f"se{self.hidden}"


@cache
def _module_type() -> "Callable[[SqueezeExcite], nn.Module]":
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class SqueezeExciteModule(nn.Module):
        """[B, C, H, W], each channel times 2 sigmoid(expand(relu(squeeze(its mean))))."""

        def __init__(self, described: SqueezeExcite) -> None:
            super().__init__()
            self.squeeze = nn.Linear(described.channels, described.hidden)
            self.expand = nn.Linear(described.hidden, described.channels)
            nn.init.zeros_(self.expand.weight)
            nn.init.zeros_(self.expand.bias)

        @override
        def forward(self, x: Tensor) -> Tensor:
            hidden = functional.relu(self.squeeze(x.mean((2, 3))))
            return x * (2 * torch.sigmoid(self.expand(hidden)))[:, :, None, None]

    return SqueezeExciteModule
