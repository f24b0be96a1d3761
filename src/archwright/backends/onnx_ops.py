"""How each primitive is said in ONNX.

Legend: B batch, C channels, H height, W width. Shapes are those of one image; the batch is dynamic.
"""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from archwright.errors import GraphError
from archwright.graph import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Primitive,
    ReLU,
    Scale,
    Shape,
    Shuffle,
    Slice,
    SqueezeExcite,
    Subsample,
    Zero,
)
from archwright.graph.ops import Pool, _modules

M = TypeVar("M", bound=nn.Module)


class Writer(Protocol):
    """Takes down a graph: what is named here is a tensor in it."""

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node of one output; its name."""
        ...

    def constant(self, value: Tensor) -> str:
        """A tensor of the file."""
        ...

    def batch(self) -> str:
        """The number of images, as a tensor of one element."""
        ...


@singledispatch
def emit(
    primitive: Primitive, write: Writer, x: str, shape: Shape, module: nn.Module | None
) -> str:
    """Say `primitive` on `x`, features of `shape`; its weights are those of `module`.

    Raises:
        GraphError: it cannot be said.
    """
    raise GraphError(f"{primitive.label()} has no form in ONNX: it cannot be exported")


@emit.register
def _(primitive: ReLU, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return write.node("Relu", [x])


@emit.register
def _(primitive: Conv, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    conv = _as(module, _modules.Conv)
    before = [primitive.padding] * 2
    after = list(before)
    if primitive.offset:
        x = _sliced(write, x, [primitive.offset] * 2, list(shape[1:]), axes=[2, 3])
        # what the view lacks where the stride does not divide the size: see `_modules.Conv`
        after = [primitive.offset if size % primitive.step else 0 for size in shape[1:]]
    return write.node(
        "Conv",
        [x, write.constant(conv.kernel())],
        kernel_shape=[primitive.kernel] * 2,
        strides=[primitive.step] * 2,
        dilations=[primitive.dilation] * 2,
        pads=[*before, *after],
        group=primitive.groups,
    )


@emit.register
def _(primitive: Linear, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    linear = _as(module, nn.Linear)
    given = [write.node("Flatten", [x], axis=1), write.constant(linear.weight)]
    given += [write.constant(linear.bias)] if primitive.bias else []
    return write.node("Gemm", given, transB=1)


@emit.register
def _(primitive: BatchNorm, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return _normed(write, x, _as(module, nn.BatchNorm2d))


@emit.register
def _(primitive: MaxPool, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return _pooled(
        primitive, write, write.node("MaxPool", [x], **_windows(primitive, shape)), module
    )


@emit.register
def _(primitive: AvgPool, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    made = write.node("AveragePool", [x], count_include_pad=0, **_windows(primitive, shape))
    return _pooled(primitive, write, made, module)


@emit.register
def _(
    primitive: GlobalAvgPool, write: Writer, x: str, shape: Shape, module: nn.Module | None
) -> str:
    return write.node("GlobalAveragePool", [x])


@emit.register
def _(primitive: Zero, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    made = write.constant(torch.tensor(primitive.out_shape(shape)))
    return write.node("ConstantOfShape", [write.node("Concat", [write.batch(), made], axis=0)])


@emit.register
def _(primitive: Slice, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return _sliced(write, x, [primitive.start], [primitive.stop], axes=[1])


@emit.register
def _(primitive: Subsample, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return _sliced(write, x, [0, 0], list(shape[1:]), axes=[2, 3], steps=[primitive.step] * 2)


@emit.register
def _(primitive: Shuffle, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    runs = [-1, primitive.groups, shape.channels // primitive.groups, *shape[1:]]
    dealt = write.node("Reshape", [x, write.constant(torch.tensor(runs))])
    dealt = write.node("Transpose", [dealt], perm=[0, 2, 1, 3, 4])
    return write.node("Reshape", [dealt, write.constant(torch.tensor([-1, *shape]))])


@emit.register
def _(primitive: Scale, write: Writer, x: str, shape: Shape, module: nn.Module | None) -> str:
    return write.node("Mul", [x, write.constant(_as(module, _modules.Scale).weight)])


@emit.register
def _(
    primitive: SqueezeExcite, write: Writer, x: str, shape: Shape, module: nn.Module | None
) -> str:
    attention = _as(module, _modules.SqueezeExcite)
    made = write.node("GlobalAveragePool", [x])
    for layer, activation in ((attention.squeeze, "Relu"), (attention.expand, "Sigmoid")):
        weight = write.constant(layer.weight[:, :, None, None])  # on one pixel it is a convolution
        made = write.node(
            activation, [write.node("Conv", [made, weight, write.constant(layer.bias)])]
        )
    return write.node("Mul", [x, write.node("Mul", [made, write.constant(torch.tensor(2.0))])])


def _as(module: nn.Module | None, kind: type[M]) -> M:
    assert isinstance(module, kind), f"the primitive builds a {kind.__name__}"
    return module


def _normed(write: Writer, x: str, norm: nn.BatchNorm2d) -> str:
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight if norm.affine else torch.ones_like(mean)
    shift = norm.bias if norm.affine else torch.zeros_like(mean)
    given = [write.constant(value) for value in (scale, shift, mean, variance)]
    return write.node("BatchNormalization", [x, *given], epsilon=norm.eps)


def _pooled(primitive: Pool, write: Writer, made: str, module: nn.Module | None) -> str:
    if not primitive.norm:
        return made
    return _normed(write, made, _as(_as(module, nn.Sequential)[1], nn.BatchNorm2d))


def _windows(pool: Pool, shape: Shape) -> dict[str, Any]:
    """Kernel, strides and padding under which as many windows fit as the primitive makes.

    A last window that reaches past the border is said by padding, since runtimes disagree on
    rounding up.
    """
    made = pool.out_shape(shape)
    reach = [(windows - 1) * pool.step + pool.kernel for windows in made[1:]]
    ends = [max(end - size - pool.padding, 0) for end, size in zip(reach, shape[1:], strict=True)]
    return {
        "kernel_shape": [pool.kernel] * 2,
        "strides": [pool.step] * 2,
        "pads": [pool.padding, pool.padding, *ends],
    }


def _sliced(
    write: Writer,
    x: str,
    starts: list[int],
    ends: list[int],
    *,
    axes: list[int],
    steps: list[int] | None = None,
) -> str:
    given = [starts, ends, axes, steps or [1] * len(axes)]
    return write.node("Slice", [x, *(write.constant(torch.tensor(value)) for value in given)])
