"""Masks: of the channels of a wide module, those that a narrower one would have."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.onnx_form import OnnxGraph, State
from archwright.graph.primitive import Channels, Counted, Primitive, Shape, register_primitive

if TYPE_CHECKING:
    from torch import nn


@register_primitive("keep_channels")
@dataclass(frozen=True)
class KeepChannels(Primitive):
    """The first `keep` of `channels` as they are, zeros in place of the others.

    Behind a chain that treats channels one by one, this is the chain with `keep` channels: the
    candidates of a decision on width share the widest one. Such a mask stands behind the last
    operation of that kind, never before a batch norm, which would take its scale away.
    """

    channels: int
    keep: int

    counted_as: ClassVar[Counted] = "none"
    aten: ClassVar[tuple[str, ...]] = ("slice.Tensor", "pad.default")

    def __post_init__(self) -> None:
        """Check that there is something to keep.

        Raises:
            GraphError: `keep` is below 1 or above `channels`.
        """
        if not 1 <= self.keep <= self.channels:
            raise GraphError(
                f"keep_channels keeps {self.keep} of {self.channels} channels: "
                f"choose 1 to {self.channels}"
            )

    @property
    @override
    def linear(self) -> bool:
        return True

    @property
    @override
    def channelwise(self) -> bool:
        return True

    @property
    @override
    def identity_like(self) -> bool:
        return self.keep == self.channels

    @override
    def out_shape(self, shape: Shape) -> Shape:
        self._require_channels(shape, self.channels)
        return shape

    @override
    def split_channels(self, parts: int) -> "KeepChannels":
        return KeepChannels(self._part(self.channels, parts), self._part(self.keep, parts))

    @override
    def channels_needed(self, wanted: Channels, shape: Shape) -> Channels:
        return tuple(channel for channel in wanted if channel < self.keep)

    @override
    def channels_made(self, read: Channels, wanted: Channels, shape: Shape) -> Channels:
        return tuple(channel for channel in read if channel < self.keep)

    @override
    def narrowed(self, read: Channels, made: Channels, shape: Shape) -> None:
        return None  # it is read by those channels alone that it keeps

    @override
    def build(self) -> "nn.Module":
        return _keep_type()(self)

    @override
    def to_onnx(self, graph: OnnxGraph, x: str, shape: Shape, state: State) -> str:
        import torch

        mask = torch.zeros(self.channels, 1, 1)
        mask[: self.keep] = 1.0
        return graph.node("Mul", [x, graph.constant(mask)])

    @override
    def label(self) -> str:
        return f"keep{self.keep}"


@cache
def _keep_type() -> "Callable[[KeepChannels], nn.Module]":
    from torch import Tensor, nn
    from torch.nn import functional

    class KeepModule(nn.Module):
        """[B, C, H, W] -> [B, C, H, W], zeros from channel `keep` on."""

        def __init__(self, described: KeepChannels) -> None:
            super().__init__()
            self.keep = described.keep
            self.rest = described.channels - described.keep

        @override
        def forward(self, x: Tensor) -> Tensor:
            if not self.rest:
                return x
            return functional.pad(x[:, : self.keep], (0, 0, 0, 0, 0, self.rest))

    return KeepModule
