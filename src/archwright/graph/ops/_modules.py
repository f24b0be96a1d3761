"""The modules that torch itself does not have."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

if TYPE_CHECKING:
    from archwright.graph.ops import KernelNorm


class Zeros(nn.Module):
    """[B, C, H, W] -> zeros [B, channels, ceil(H / stride), ceil(W / stride)], laid out alike.

    Of a sum, the first part decides how it is laid out: contiguous zeros would make a whole
    channels-last network convert its features back and forth.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    @override
    def forward(self, x: Tensor) -> Tensor:
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        zeros = x.new_zeros(x.shape[0], self.channels, height, width)
        channels_last = x.stride(1) < x.stride(3)
        return zeros.contiguous(memory_format=torch.channels_last) if channels_last else zeros


class Conv(nn.Conv2d):
    """A convolution without bias whose windows may start `offset` pixels down and right."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
        offset: int,
        norm: "KernelNorm | None" = None,
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding, dilation, groups, bias=False)
        self.offset = offset
        self.norm = norm

    def kernel(self) -> Tensor:
        """The kernel that convolves [c_out, c_in / groups, K, K]: the weight, normalised if so."""
        return self.weight if self.norm is None else normalised(self.weight, self.norm)

    @override
    def forward(self, input: Tensor) -> Tensor:
        if self.offset:
            # Where the stride divides the size, the last pixels that are cut off are not missed
            # and a view suffices; elsewhere zeros take their place.
            below, right = (
                self.offset if size % step else 0
                for size, step in zip(input.shape[2:], self.stride, strict=True)
            )
            input = input[:, :, self.offset :, self.offset :]
            if below or right:
                input = functional.pad(input, (0, right, 0, below))
        return self._conv_forward(input, self.kernel(), None)


def normalised(weight: Tensor, norm: "KernelNorm") -> Tensor:
    """(K - mean) / scale of kernels [..., c_out, c_in / groups, K, K]; see `KernelNorm`."""
    axes = (-3, -2, -1) if norm.granularity == "filter" else (-4, -3, -2, -1)
    centred = weight - weight.mean(axes, keepdim=True)
    energy = centred.square()
    energy = (
        energy.mean(axes, keepdim=True)
        if norm.scale == "deviation"
        else energy.sum(axes, keepdim=True)
    )
    # a kernel all of whose taps are equal has no scale: the floor keeps its gradient finite
    return centred * energy.clamp(min=torch.finfo(weight.dtype).tiny ** 0.5).rsqrt()


class Slice(nn.Module):
    """[B, C, H, W] -> [B, stop - start, H, W]."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start = start
        self.stop = stop

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.start : self.stop]


class Linear(nn.Linear):
    """[B, C, 1, 1] -> [B, classes]."""

    @override
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


class Scale(nn.Module):
    """[B, C, H, W] times `weight` [C, 1, 1], or [1, 1, 1] for all channels alike."""

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(weights, 1, 1))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.to(x.dtype)


class Subsample(nn.Module):
    """[B, C, H, W] -> [B, C, ceil(H / step), ceil(W / step)], from the first pixel on."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.step, :: self.step]


class SqueezeExcite(nn.Module):
    """[B, C, H, W], each channel times 2 sigmoid(expand(relu(squeeze(its mean))))."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.expand = nn.Linear(hidden, channels)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    @override
    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.squeeze(x.mean((2, 3))))
        return x * (2 * torch.sigmoid(self.expand(hidden)))[:, :, None, None]
