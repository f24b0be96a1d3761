"""What treats every position alike: activation, normalisation and scaling."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.graph.primitive import Primitive, Shape

if TYPE_CHECKING:
    from torch import nn


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
class BatchNorm(Primitive):
    """Batch normalisation; `affine`: with a learned scale and shift a channel."""

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
    def split_channels(self, parts: int) -> "BatchNorm":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.BatchNorm2d(self.channels, affine=self.affine)

    @override
    def label(self) -> str:
        return "bn"


@dataclass(frozen=True)
class Scale(Primitive):
    """Multiplication by a learned weight a channel, or with `shared` by one for all of them.

    Fresh weights are one, so that it starts as the identity.
    """

    channels: int
    shared: bool = False

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
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.Scale(self.params)

    @override
    def label(self) -> str:
        return "scale1" if self.shared else "scale"
