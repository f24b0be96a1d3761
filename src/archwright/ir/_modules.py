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


class Conv(nn.Conv2d):
    """A convolution without bias whose windows may start `offset` pixels down and right."""

    def __init__(self, c_in: int, c_out: int, kernel: int, *, offset: int, **rest: int) -> None:
        super().__init__(c_in, c_out, kernel, bias=False, **rest)
        self.offset = offset

    @override
    def forward(self, input: Tensor) -> Tensor:
        if not self.offset:
            return super().forward(input)
        # a stride that divides the size never reaches the border, and a view suffices
        missing = [self.offset if size % stride else 0 for size, stride in self._axes(input)]
        view = input[:, :, self.offset :, self.offset :]
        return super().forward(functional.pad(view, (0, missing[1], 0, missing[0])) if any(missing) else view)

    def _axes(self, input: Tensor) -> list[tuple[int, int]]:
        return [(input.shape[2], self.stride[0]), (input.shape[3], self.stride[1])]


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
