"""Operations that keep less for backward than autograd would, with the same gradients.

Cheap values are recomputed in backward from others that are kept anyway: a ReLU and the
normalisation before it are elementwise, pools are small. They can be differentiated only once.

Legend: B batch, C channels, H height, W width, K features of a node, J sums that they enter.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from typing_extensions import override

from archwright.lowering.geometry import Geometry


class ReluConvs(torch.autograd.Function):
    """Convolutions of relu(x); keeps x and the kernels, where autograd would keep relu(x) too."""

    @staticmethod
    @override
    def forward(
        ctx: Any, x: Tensor, active: Tensor, geometries: Sequence[Geometry], *kernels: Tensor
    ) -> tuple[Tensor, ...]:
        """Convolve `active`, which is relu(x) [B, C, H, W], by each of `kernels`."""
        ctx.save_for_backward(x, *kernels)
        ctx.set_materialize_grads(False)
        ctx.geometries = geometries
        pairs = zip(geometries, kernels, strict=True)
        return tuple(geometry(active, kernel) for geometry, kernel in pairs)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and the kernels."""
        x, *kernels = ctx.saved_tensors
        wants_x, _, _, *wants_kernels = ctx.needs_input_grad
        active = functional.relu(x)
        wanted = (wants_x, wants_kernels)
        grad, found = _conv_gradients(active, grad_outputs, ctx.geometries, kernels, wanted)
        return None if grad is None else _through_relu(grad, active), None, None, *found


class NormReluConv(torch.autograd.Function):
    """conv(relu(bn(x))) with an affine-free batch norm in training; keeps x and its statistics."""

    @staticmethod
    @override
    def forward(
        ctx: Any,
        x: Tensor,
        active: Tensor,
        mean: Tensor,
        deviation: Tensor,
        kernel: Tensor,
        geometry: Geometry,
        eps: float,
    ) -> Tensor:
        """Convolve `active`, which is relu(bn(x)) [B, C, H, W].

        mean, deviation: the batch's mean and inverse deviation a channel [C].
        """
        ctx.save_for_backward(x, mean, deviation, kernel)
        ctx.geometry, ctx.eps = geometry, eps
        return geometry(active, kernel)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and the kernel."""
        (grad,) = grad_outputs
        x, mean, deviation, kernel = ctx.saved_tensors
        shape = (1, -1, 1, 1)
        # as precisely as forward did: in half precision, statistics are not
        scale = deviation.view(shape)
        normal = torch.addcmul(-mean.view(shape) * scale, x.to(mean.dtype), scale)
        active = functional.relu_(normal.to(x.dtype))
        wanted = (True, [ctx.needs_input_grad[4]])
        grad_active, (grad_kernel,) = _conv_gradients(
            active, [grad], [ctx.geometry], [kernel], wanted
        )
        assert grad_active is not None, "asked for"
        grad_norm = _through_relu(grad_active, active)
        grad_x, _, _ = torch.ops.aten.native_batch_norm_backward(
            grad_norm, x, None, None, None, mean, deviation, True, ctx.eps, [True, False, False]
        )
        return grad_x, None, None, None, grad_kernel, None, None


def _conv_gradients(
    x: Tensor,
    grads: Sequence[Tensor | None],
    geometries: Sequence[Geometry],
    kernels: Sequence[Tensor],
    wanted: tuple[bool, Sequence[bool]],
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Return the gradient of x and those of the kernels of convolutions of x, where wanted.

    Kernels of the same geometry share the windows of x that their gradients read.
    """
    wants_x, wants_kernels = wanted
    grad_x: Tensor | None = None
    found: list[Tensor | None] = []
    windows: dict[Geometry, tuple[Tensor, ...]] = {}
    for grad, geometry, kernel, needed in zip(
        grads, geometries, kernels, wants_kernels, strict=True
    ):
        found.append(None)
        if grad is None:
            continue
        like, kernel = x.to(grad.dtype), kernel.to(grad.dtype)  # under autocast, what convolved
        if wants_x:
            part = geometry.image_gradient(grad, like, kernel).to(x.dtype)
            grad_x = part if grad_x is None else grad_x.add_(part)
        if needed:
            if geometry not in windows:
                windows[geometry] = geometry.windows(like)
            found[-1] = geometry.kernel_gradient(grad, like, windows[geometry], kernel)
    return grad_x, found


def _through_relu(grad: Tensor, active: Tensor) -> Tensor:
    """Return the gradient of a ReLU's input, written in place of that of its output."""
    torch.ops.aten.threshold_backward.grad_input(grad, active, 0, grad_input=grad)
    return grad


Feature = nn.Module | None
"""Cheap function of a node's features without parameters; None: the identity."""


class MixFeatures(torch.autograd.Function):
    """Weighted sums of cheap features of x, a row of weights for each sum; keeps x alone."""

    @staticmethod
    @override
    def forward(
        ctx: Any, x: Tensor, weights: Tensor, features: Sequence[Feature]
    ) -> tuple[Tensor, ...]:
        """Return the sums j of weights[j, k] feature_k(x): J tensors of the features' shape.

        x: [B, C, H, W]; weights: [J, K].
        """
        ctx.save_for_backward(x, weights)
        ctx.features = features
        return mix_features([_compute(feature, x) for feature in features], weights)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and the weights."""
        x, weights = ctx.saved_tensors
        with torch.enable_grad():
            source = x.detach().requires_grad_()
            made = [_compute(feature, source, again=True) for feature in ctx.features]
        rows = _Rows(made[0])
        incoming = rows.stack(grad_outputs).to(made[0].dtype)
        grad_weights: Tensor | None = None
        if ctx.needs_input_grad[1]:  # not in a step of the weights, where alpha is given
            values = rows.stack([value.detach() for value in made])
            grad_weights = (incoming @ values.T).to(weights.dtype)
        outer = rows.split(weights.to(incoming.dtype).T @ incoming)
        (grad_x,) = torch.autograd.grad(made, source, outer)
        return grad_x, grad_weights, None


class Checkpoint(torch.autograd.Function):
    """Checkpoint of a function: its inputs alone are kept, and it runs again in backward."""

    @staticmethod
    @override
    def forward(ctx: Any, run: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Return run(*tensors); in backward run(*tensors, again=True)."""
        ctx.save_for_backward(*tensors)
        ctx.run = run
        device = tensors[0].device.type
        enabled = device != "meta" and torch.is_autocast_enabled(device)
        ctx.autocast = (device, torch.get_autocast_dtype(device)) if enabled else None
        return run(*tensors)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients of the tensors."""
        autocast = nullcontext() if ctx.autocast is None else torch.autocast(*ctx.autocast)
        wanted = ctx.needs_input_grad[1:]
        pairs = zip(ctx.saved_tensors, wanted, strict=True)
        tensors = [tensor.detach().requires_grad_(needed) for tensor, needed in pairs]
        with torch.enable_grad(), autocast:
            made = ctx.run(*tensors, again=True)
        needed = [tensor for tensor in tensors if tensor.requires_grad]
        grads = iter(torch.autograd.grad(made, needed, grad_outputs))
        return None, *(next(grads) if want else None for want in wanted)


def mix_features(values: Sequence[Tensor], weights: Tensor) -> tuple[Tensor, ...]:
    """Return the sums over k of weights[j, k] values[k], as one matrix product."""
    rows = _Rows(values[0])
    return rows.split(weights.to(values[0].dtype) @ rows.stack(values))


class _Rows:
    """Features as rows of a matrix, in the order in which they lie in memory."""

    def __init__(self, like: Tensor) -> None:
        self._last = like.is_contiguous(memory_format=torch.channels_last)
        batch, channels, height, width = like.shape
        self._shape = (batch, height, width, channels) if self._last else like.shape

    def stack(self, values: Sequence[Tensor]) -> Tensor:
        """Return the values as rows [len(values), B * C * H * W]."""
        rows = [v.permute(0, 2, 3, 1) if self._last else v for v in values]
        return torch.stack([row.reshape(-1) for row in rows])

    def split(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the values of rows: the inverse of `stack`."""
        values = rows.view(-1, *self._shape).unbind()
        return tuple(v.permute(0, 3, 1, 2) if self._last else v for v in values)


def _compute(feature: Feature, x: Tensor, *, again: bool = False) -> Tensor:
    """Compute the feature of x; `again`: without counting the batch into statistics twice."""
    if feature is None:
        return x
    if again and isinstance(feature, nn.Sequential):
        window, norm = feature
        assert isinstance(norm, nn.BatchNorm2d), "a pool has no other companion"
        statistics = (None, None) if norm.training else (norm.running_mean, norm.running_var)
        pooled = window(x)
        return functional.batch_norm(pooled, *statistics, training=norm.training, eps=norm.eps)
    return feature(x)
