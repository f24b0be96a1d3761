"""What summarises windows of pixels, without weights."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph.primitive import Primitive, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Pool(Primitive):
    """What the pools share: a window, and in a supernet the affine-free batch norm behind it.

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
    def split_channels(self, parts: int) -> "Pool":
        return replace(self, norm=self._part(self.norm, parts))

    @override
    def out_shape(self, shape: Shape) -> Shape:
        if self.norm:
            self._require_channels(shape, self.norm)
        height, width = map(self._windows, shape[1:])
        return self._fitted(shape, Shape(shape.channels, height, width))

    def _windows(self, size: int) -> int:
        """How many windows there are along a side of `size` pixels."""
        spare = size + 2 * self.padding - self.kernel
        if not self._ceil:
            return spare // self.step + 1
        windows = -(-spare // self.step) + 1
        # none may start in the padding behind the last pixel
        return windows - 1 if (windows - 1) * self.step >= size + self.padding else windows

    @property
    def _ceil(self) -> bool:
        """Whether a last window may be cut off by the border."""
        return not self.valid and self.kernel % 2 == 0

    def _normed(self, window: "nn.Module") -> "nn.Module":
        from torch import nn

        if not self.norm:
            return window
        return nn.Sequential(window, nn.BatchNorm2d(self.norm, affine=False))

    def _suffix(self) -> str:
        """Window, stride and norm, as a label shows them."""
        stride = f"/{self.step}" if self.step > 1 else ""
        return f"{self.kernel}{stride}{'_bn' if self.norm else ''}"


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest value of each window."""

    @override
    def build(self) -> "nn.Module":
        from torch import nn

        return self._normed(
            nn.MaxPool2d(self.kernel, self.step, self.padding, ceil_mode=self._ceil)
        )

    @override
    def label(self) -> str:
        return f"maxpool{self._suffix()}"


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

        window = nn.AvgPool2d(
            self.kernel, self.step, self.padding, ceil_mode=self._ceil, count_include_pad=False
        )
        return self._normed(window)

    @override
    def label(self) -> str:
        return f"avgpool{self._suffix()}"


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
