"""Narrow networks compared with the networks that they were made of."""

import torch
from torch import Tensor

from archwright.graph import BatchNorm, Conv, Network, ReLU, Shape, verify
from archwright.graph.passes.narrowing import Narrowing, narrow, narrow_state
from archwright.lowering import GraphModule

from ...strategies import images, seeded

C = 8
IMAGE = Shape(3, 6, 5)
WIDE = (Conv(3, C, 3), BatchNorm(C), ReLU())


def outcome(module: GraphModule, x: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Logits, the gradients by the name of the parameter, and that of the images."""
    x = x.clone().requires_grad_()
    made, _ = module(x)
    weights = torch.linspace(0.5, 2.0, made.numel(), dtype=made.dtype).view_as(made)
    (weights * made).sum().backward()
    grads = {
        n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in module.named_parameters()
    }
    return made.detach(), grads, torch.zeros_like(x) if x.grad is None else x.grad


def assert_narrow(before: Network, *, gradients: bool = True) -> Network:
    """The narrow network computes the same to rounding: outputs, gradients, statistics."""
    found = narrow(before)
    verify(found.network)
    assert Narrowing().verify(found.network).network == found.network
    wide = seeded(before)
    slim = GraphModule(found.network).double()
    slim.load_state_dict(narrow_state(found.cuts, wide.state_dict()))
    for training in (True, False):
        x = images(before, seed=int(training))
        wide.train(training).zero_grad()
        slim.train(training).zero_grad()
        (ours, own, to_x), (theirs, expected, x_grad) = outcome(slim, x), outcome(wide, x)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(to_x, x_grad, rtol=1e-11, atol=1e-11)
        if gradients:
            cut = narrow_state(found.cuts, {**wide.state_dict(), **expected})
            for name, grad in own.items():
                torch.testing.assert_close(grad, cut[name], rtol=1e-10, atol=1e-11, msg=name)
                lost = float(expected[name].abs().sum() - grad.abs().sum())
                assert abs(lost) < 1e-8  # what is cut off would never have learned
    left = narrow_state(found.cuts, wide.state_dict())
    for name, value in slim.state_dict().items():
        torch.testing.assert_close(value, left[name], rtol=1e-12, atol=1e-12)
    return found.network
