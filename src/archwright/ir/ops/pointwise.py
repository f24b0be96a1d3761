"""What treats every position alike: activation and normalisation."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.ir.primitive import Primitive, Shape

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
    def thinned(self, parts: int) -> "BatchNorm":
        return replace(self, channels=self._part(self.channels, parts))

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return nn.BatchNorm2d(self.channels, affine=self.affine)

    @override
    def label(self) -> str:
        return "bn"
