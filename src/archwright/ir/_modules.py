"""The modules that torch itself does not have."""

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


class Zeros(nn.Module):
    """[B, C, H, W] -> zeros [B, channels, ceil(H / stride), ceil(W / stride)]."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        if x.shape[1] == self.channels:
            return x * 0.0
        return x.new_zeros(x.shape[0], self.channels, *x.shape[2:])


class Shift(nn.Module):
    """[B, C, H, W] -> the same shape, y[i, j] = x[i + 1, j + 1]."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))


class Slice(nn.Module):
    """[B, C, H, W] -> channels start to stop."""

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
