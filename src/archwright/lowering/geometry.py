"""Geometry of a convolution with a merged kernel: the convolution, and its gradients.

Legend: B batch, C channels, H height, W width, K taps a side.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archwright.graph.kernel_frame import Frame
from archwright.lowering.depthwise import at_stride_1, image_gradient, kernel_gradient, strips


@dataclass(frozen=True)
class Geometry:
    """Parameters of a convolution without its kernel."""

    c_in: int
    c_out: int
    groups: int
    step: int
    frame: Frame

    def __call__(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Convolve features [B, C, H, W] with a kernel [c_out, c_in / groups, K, K]."""
        padding, dilation = -self.frame.first, self.frame.dilation
        return functional.conv2d(x, kernel, None, self.step, padding, dilation, self.groups)

    def image_gradient(self, grad: Tensor, x: Tensor, kernel: Tensor) -> Tensor:
        """Return the gradient of x [B, C, H, W] from the output's; of x, shape and layout count.

        x, kernel and `grad` are of one type: under autocast, that of the convolution.
        """
        if self._takes_apart(x):
            return image_gradient(grad, x, kernel, self.frame.dilation, self.step)
        return self._native(grad, x, kernel, (True, False))[0]

    def windows(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the windows of x that gradients of all kernels of this geometry read."""
        if not self._takes_apart(x):
            return (x,)
        return strips(x, self.frame.size, self.frame.dilation, self._read_step)

    def kernel_gradient(
        self, grad: Tensor, x: Tensor, windows: tuple[Tensor, ...], kernel: Tensor
    ) -> Tensor:
        """Return the gradient of the kernel from the output's; only the kernel's shape is read.

        windows: those of x. All are of one type: under autocast, that of the convolution.
        """
        if self._takes_apart(x):
            step = self._read_step
            if step != self.step:
                grad = at_stride_1(grad, x, self.step)
            return kernel_gradient(grad, windows, kernel, self.frame.dilation, step)
        (whole,) = windows
        return self._native(grad, whole, kernel, (False, True))[1]

    def _native(
        self, grad: Tensor, x: Tensor, kernel: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        """Return PyTorch's gradients of x and of the kernel, where wanted."""
        sizes = ([self.step] * 2, [-self.frame.first] * 2, [self.frame.dilation] * 2)
        grad_x, grad_kernel, _ = torch.ops.aten.convolution_backward(
            grad, x, kernel, None, *sizes, False, [0, 0], self.groups, [*wanted, False]
        )
        return grad_x, grad_kernel

    @property
    def _read_step(self) -> int:
        """Return the stride at which kernels' gradients are taken: 1 if it is not the dilation."""
        return self.step if self.frame.dilation in (1, self.step) else 1

    def _takes_apart(self, x: Tensor) -> bool:
        """Return whether `depthwise` computes the gradients: for centred kernels on a CPU."""
        centred = self.frame.first == -self.frame.dilation * (self.frame.size // 2)
        depthwise = self.groups == self.c_in == self.c_out > 1
        return x.device.type == "cpu" and depthwise and centred
