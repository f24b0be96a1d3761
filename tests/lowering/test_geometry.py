"""Gradients of convolutions are autograd's, whichever calls they are taken by."""

from itertools import product

import pytest
import torch
from torch import Tensor

from archwright.graph.kernel_frame import Frame
from archwright.lowering.geometry import Geometry


def assert_autograds(geometry: Geometry, x: Tensor, kernel: Tensor) -> None:
    out = geometry(x.requires_grad_(), kernel.requires_grad_())
    grad = torch.randn_like(out)
    expected = torch.autograd.grad(out, (x, kernel), grad)
    x, kernel = x.detach(), kernel.detach()
    found = (
        geometry.image_gradient(grad, x, kernel),
        geometry.kernel_gradient(grad, x, geometry.windows(x), kernel),
    )
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("dilation", "step"), [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
)
@pytest.mark.parametrize("size", [1, 3, 5, 7, 15])
def test_gradients_of_a_depthwise_convolution(size: int, dilation: int, step: int) -> None:
    frame = Frame(size, dilation, -dilation * (size // 2))
    kernel = torch.randn(3, 1, size, size, dtype=torch.double)
    for height, width in product((1, 2, 3, 8), (1, 4, 7)):  # also where the kernel is larger
        x = torch.randn(2, 3, height, width, dtype=torch.double)
        assert_autograds(Geometry(3, 3, 3, step, frame), x, kernel)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(4, 6, 1, 1, Frame(3, 1, -1)),  # dense
        Geometry(4, 6, 2, 2, Frame(5, 1, -2)),  # in groups
        Geometry(4, 8, 4, 1, Frame(5, 1, -2)),  # several kernels a channel
        Geometry(4, 4, 4, 1, Frame(5, 1, -1)),  # not centred
    ],
)
def test_gradients_of_other_convolutions(geometry: Geometry) -> None:
    size = geometry.frame.size
    kernel = torch.randn(
        geometry.c_out, geometry.c_in // geometry.groups, size, size, dtype=torch.double
    )
    assert_autograds(geometry, torch.randn(2, 4, 9, 8, dtype=torch.double), kernel)


def test_kernels_on_the_same_image_read_the_same_windows() -> None:
    geometry = Geometry(3, 3, 3, 1, Frame(5, 1, -2))
    x, grad = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    windows = geometry.windows(x)
    assert [window.shape[3] for window in windows] == [10, 9]  # columns 0-2 and 3-4 of the kernel
    kernel = torch.zeros(3, 1, 5, 5)
    first = geometry.kernel_gradient(grad, x, windows, kernel)
    again = geometry.kernel_gradient(2 * grad, x, windows, kernel)
    torch.testing.assert_close(again, 2 * first)
