"""What weighs channels by what an image shows."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.primitive import Primitive, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SqueezeExcite(Primitive):
    """Channels recalibrated by 2 sigmoid(W2 relu(W1 mean(x))), `hidden` units between.

    Squeeze and excitation (Hu et al., CVPR 2018, eq. 2 to 4) with twice the sigmoid: fresh, its
    last layer is zero, and it starts as exactly the identity.
    """

    channels: int
    hidden: int

    def __post_init__(self) -> None:
        """Check that there is a unit.

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
    def build(self) -> "nn.Module":
        from archwright.graph.ops import _modules

        return _modules.SqueezeExcite(self.channels, self.hidden)

    @override
    def label(self) -> str:
        return f"se{self.hidden}"
