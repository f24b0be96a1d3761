"""Backward of the fused lowering computes no gradient that no one asks for."""

from collections import Counter
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from archwright.graph.passes.simplification import simplification, simplify
from archwright.lowering import FusedNetwork, Mixture
from archwright.spaces import get_space

from ..strategies import images, mixture_of, tiny


class Calls(TorchDispatchMode):
    """Counts matrix products, and gradients of kernels by the channels that they combine."""

    def __init__(self) -> None:
        super().__init__()
        self.products = 0
        self.kernels: Counter[str] = Counter()

    @override
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        name = func._schema.name
        self.products += name == "aten::mm"
        if name == "aten::convolution_backward" and args[-1][1]:
            self.kernels["dense" if args[2].shape[1] > 1 else "depthwise"] += 1
        return func(*args, **(kwargs or {}))


@cache
def backward(*, weights: bool, alpha: bool) -> tuple[Calls, torch.Tensor | None]:
    network = simplify(get_space("darts").supernet(tiny("darts")), simplification("all"))
    module = FusedNetwork(network).requires_grad_(weights)
    drawn = mixture_of(module)
    assert drawn is not None
    logits = drawn.log_weights.float().requires_grad_(alpha)
    scores, _ = module(images(network).float(), Mixture.from_logits(logits))
    with Calls() as calls:
        scores.square().sum().backward()
    return calls, logits.grad


def test_a_step_of_alpha_takes_gradients_of_weighed_kernels_alone() -> None:
    both, _ = backward(weights=True, alpha=True)
    calls, gradient = backward(weights=False, alpha=True)
    assert gradient is not None
    # of the pointwise ones, those whose batch norm is shared with a skip connection at stride 2
    weighed = 2 * 8
    assert both.kernels["dense"] > weighed == calls.kernels["dense"]
    assert calls.kernels["depthwise"] == both.kernels["depthwise"]


def test_a_step_of_the_weights_takes_no_gradient_of_coefficients() -> None:
    both, _ = backward(weights=True, alpha=True)
    calls, gradient = backward(weights=True, alpha=False)
    assert gradient is None
    assert calls.products < both.products
    assert calls.kernels == both.kernels
