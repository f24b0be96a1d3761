"""Gradients of centred depthwise convolutions on the CPU, using the fast paths of oneDNN.

oneDNN's gradient of a kernel is fast without dilation, up to three taps across, and with a kernel
smaller than the image. For others it computes a dense kernel of 16 x 16 channels and keeps the
diagonal: for 15 x 15 taps in 50 times the time. So the kernel is divided into strips; the gradient
of each is that of a separate convolution on the padded image, with dilation on the D x D
interleaved images. The gradient of the image is a convolution with the rotated kernel.

Legend: B batch, C channels, H height, W width, K taps a side, D dilation, S stride.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

_FAST_TAPS = 3
"""Taps across of the widest kernel whose gradient oneDNN computes fast."""


def image_gradient(grad: Tensor, x: Tensor, kernel: Tensor, dilation: int, step: int) -> Tensor:
    """Return the gradient of an image like x [B, C, H, W] from that of the output.

    kernel: [C, 1, K, K]; step: S.
    """
    grad = at_stride_1(grad, x, step)
    reach = dilation * (kernel.shape[-1] // 2)
    return functional.conv2d(grad, kernel.flip(2, 3), None, 1, reach, dilation, len(kernel))


def at_stride_1(grad: Tensor, x: Tensor, step: int) -> Tensor:
    """Return the gradient of the output at stride 1: zero where no window of the stride begins."""
    if step == 1:
        return grad
    apart = torch.zeros_like(x)
    apart[..., ::step, ::step] = grad
    return apart


def strips(x: Tensor, size: int, dilation: int, step: int) -> tuple[Tensor, ...]:
    """Return the parts of x [B, C, H, W] that the gradients of a kernel's strips read.

    size: K; step: S. With dilation, S is 1 or D (see `at_stride_1`).
    """
    if dilation > 1:
        x, step = (interleaved(x, dilation) if step == 1 else x[..., ::step, ::step]), 1
    if size <= _FAST_TAPS:
        return (x,)
    reach, width = size // 2, x.shape[3]
    unread = (width - 1) % step
    found: list[Tensor] = []
    for first, taps in _split(size):
        left, right = reach - first, first + taps - 1 - reach - unread
        seen = left + right  # more than the width; beside the image, nothing of it remains
        left = max(min(left, seen + width), -width)
        found.append(functional.pad(x, (left, seen - left, reach, reach)))
    return tuple(found)


def kernel_gradient(
    grad: Tensor, read: Sequence[Tensor], kernel: Tensor, dilation: int, step: int
) -> Tensor:
    """Return the gradient of a kernel like [C, 1, K, K] from that of the output, and the strips."""
    if dilation > 1:
        grad, step = (interleaved(grad, dilation) if step == 1 else grad), 1
    size = kernel.shape[-1]
    padding = 0 if size > _FAST_TAPS else size // 2
    sizes = ([step] * 2, [padding] * 2, [1, 1], False, [0, 0], len(kernel))
    found: list[Tensor] = []
    for x, strip in zip(read, kernel.split(_FAST_TAPS, dim=3), strict=True):
        _, made, _ = torch.ops.aten.convolution_backward(
            grad, x, strip, None, *sizes, [False, True, False]
        )
        found.append(made)
    return found[0] if len(found) == 1 else torch.cat(found, dim=3)


def _split(size: int) -> Iterator[tuple[int, int]]:
    """Return the first column and the number of columns of each strip."""
    return ((first, min(_FAST_TAPS, size - first)) for first in range(0, size, _FAST_TAPS))


def interleaved(x: Tensor, size: int) -> Tensor:
    """Return the D x D images of every D-th pixel: [B, C, H, W] -> [D * D * B, C, H / D, W / D]."""
    below, right = -x.shape[2] % size, -x.shape[3] % size
    if below or right:
        x = functional.pad(x, (0, right, 0, below))
    batch, channels, height, width = x.shape
    rows, columns = height // size, width // size
    pixels = x.permute(0, 2, 3, 1).reshape(batch, rows, size, columns, size, channels)
    apart = pixels.permute(2, 4, 0, 1, 3, 5).reshape(-1, rows, columns, channels)
    return apart.permute(0, 3, 1, 2)
