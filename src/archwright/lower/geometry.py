"""How a merged kernel convolves, and how its gradients are taken.

Legend: B batch, C channels, H height, W width, K taps a side, D dilation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archwright.ir.frame import Frame


@dataclass(frozen=True)
class Geometry:
    """Everything about a convolution but its kernel."""

    c_in: int
    c_out: int
    groups: int
    step: int
    frame: Frame

    def __call__(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Convolve features [B, C, H, W] with a kernel [c_out, c_in / groups, K, K]."""
        if not self._phased(x):
            return functional.conv2d(
                x, kernel, None, self.step, -self.frame.first, self.frame.dilation, self.groups
            )
        made = functional.conv2d(self._phases(x), kernel, None, 1, self._reach, 1, self.groups)
        return made if self.step > 1 else self._image(made, x.shape[2], x.shape[3])

    def gradients(
        self, grad: Tensor, x: Tensor, kernel: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of x and the kernel, where wanted, from that of the output.

        All are computed in the gradient's type, for under autocast that is what convolved.
        """
        height, width = x.shape[2:]
        given, kernel = x.to(grad.dtype), kernel.to(grad.dtype)
        phased = self._phased(x)
        step, reach, dilation = self.step, -self.frame.first, self.frame.dilation
        if phased:
            given = self._phases(given)
            grad = grad if step > 1 else self._phases(grad)
            step, reach, dilation = 1, self._reach, 1
        grad_x, grad_kernel, _ = torch.ops.aten.convolution_backward(
            grad,
            given,
            kernel,
            None,
            [step] * 2,
            [reach] * 2,
            [dilation] * 2,
            False,
            [0, 0],
            self.groups,
            [*wanted, False],
        )
        if phased and wanted[0]:
            grad_x = (
                self._image(grad_x, height, width)
                if self.step == 1
                else self._spread(grad_x, height, width)
            )
        return (grad_x if wanted[0] else None), (grad_kernel if wanted[1] else None)

    @property
    def _reach(self) -> int:
        return self.frame.size // 2

    def _phased(self, x: Tensor) -> bool:
        """Whether to convolve the D x D interleaved images apart, without dilation; exact.

        The CPU's library has no fast depthwise convolution with dilation, least of all backward.
        """
        dilation = self.frame.dilation
        return (
            x.device.type == "cpu"
            and dilation > 1
            and self.groups == self.c_in > 1
            and self.step in (1, dilation)
            and self.frame.first == -dilation * self._reach
        )

    def _phases(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [D * D * B, C, H / D, W / D]; strided: the first alone."""
        size = self.frame.dilation
        if self.step > 1:
            return x[:, :, ::size, ::size].contiguous(memory_format=torch.channels_last)
        below, right = -x.shape[2] % size, -x.shape[3] % size
        if below or right:
            x = functional.pad(x, (0, right, 0, below))
        batch, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(
            batch, height // size, size, width // size, size, channels
        )
        apart = pixels.permute(2, 4, 0, 1, 3, 5).reshape(
            -1, height // size, width // size, channels
        )
        return apart.permute(0, 3, 1, 2)

    def _image(self, phases: Tensor, height: int, width: int) -> Tensor:
        """The inverse of `_phases` at stride 1, cut to the image's size."""
        size = self.frame.dilation
        rows, columns = phases.shape[2:]
        pixels = phases.permute(0, 2, 3, 1).reshape(size, size, -1, rows, columns, self.c_out)
        whole = pixels.permute(2, 3, 0, 4, 1, 5).reshape(
            -1, rows * size, columns * size, self.c_out
        )
        return whole.permute(0, 3, 1, 2)[:, :, :height, :width]

    def _spread(self, grad: Tensor, height: int, width: int) -> Tensor:
        """The gradient of the image of which a strided convolution read the first phase."""
        size = self.frame.dilation
        whole = grad.new_zeros(len(grad), self.c_in, height, width).contiguous(
            memory_format=torch.channels_last
        )
        whole[:, :, ::size, ::size] = grad
        return whole
