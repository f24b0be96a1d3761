"""What scaling kernels does to alpha (TopoNAS, section 3.5, eq. 19 to 28), and what it does not.

A merged edge in front of a batch norm, as in the paper's proof: conv(x; sum_i p_i K_i).
"""

import pytest
import torch
from torch import Tensor, nn

from archwright.graph import ReLU, chain
from archwright.graph.passes.simplification import Simplification, simplify_expr
from archwright.lowering import GraphModule, Mixture

from .edges import NORM, SHAPE, depthwise, edge, network, noise, seeded

BODIES = tuple(chain(ReLU(), depthwise(kernel), NORM) for kernel in (3, 5, 7))
PLAIN = Simplification(norm=False)
NORMED = [
    Simplification(granularity=granularity, scale=scale)
    for granularity in ("filter", "kernel")
    for scale in ("norm", "deviation")
]
X = noise(3, *SHAPE)


def supernet(settings: Simplification) -> GraphModule:
    return seeded(network(simplify_expr(edge(*BODIES), SHAPE, settings)))


def kernels(module: GraphModule) -> list[Tensor]:
    convs = [module.slots[f"edge/{name}/1"] for name in "abc"]
    return [conv.weight for conv in convs if isinstance(conv, nn.Conv2d)]


def output(module: GraphModule, p: Tensor) -> Tensor:
    with torch.no_grad():
        return module(X, Mixture(p[None], p.log()[None]))[0]


def weights(seed: int) -> Tensor:
    return noise(3, seed=seed).softmax(0)


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_without_normalisation_every_alpha_is_as_good(seed: int) -> None:
    """K'_i = (p_i / p'_i) K_i undoes any p' (eq. 19 to 23)."""
    module, p, other = supernet(PLAIN), weights(seed), weights(seed + 100)
    before = output(module, p)
    assert not same(output(module, other), before)
    with torch.no_grad():
        for kernel, ratio in zip(kernels(module), p / other, strict=True):
            kernel.mul_(ratio)
    assert same(output(module, other), before)


@pytest.mark.parametrize("settings", NORMED, ids=lambda s: f"{s.granularity}-{s.scale}")
def test_with_it_scale_and_shift_of_a_kernel_mean_nothing(settings: Simplification) -> None:
    """So that the construction of eq. 19 changes nothing, and the output moves with alpha."""
    module, p, other = supernet(settings), weights(0), weights(100)
    before, moved = output(module, p), output(module, other)
    assert not same(before, moved)
    with torch.no_grad():
        for kernel, ratio in zip(kernels(module), p / other, strict=True):
            kernel.mul_(ratio).add_(0.3)
    assert same(output(module, p), before)
    assert same(output(module, other), moved)


def test_scales_of_single_filters_need_the_finer_granularity() -> None:
    """A kernel as a whole has one scale: its filters may still be scaled against each other."""
    scales = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()[:, None, None, None]
    for settings in NORMED:
        module, p = supernet(settings), weights(0)
        before = output(module, p)
        with torch.no_grad():
            kernels(module)[0].mul_(scales)
        assert same(output(module, p), before) == (settings.granularity == "filter")


def test_other_kernels_still_compensate() -> None:
    """Alpha is not unique with normalisation either: kernels of another form undo a small change.

    The 7x7 kernel holds the other two. With all kernels of unit norm and no mean, choose the small
    ones as they are, and the large one as what is missing from the sum, up to a common scale that
    the batch norm removes.
    """
    module, p = supernet(Simplification()), torch.tensor([0.2, 0.2, 0.6]).double()
    norm = module.slots["edge/a/2"]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.eps = 1e-30  # a batch norm proper: free of scale
    other = (p.log() + torch.tensor([0.1, -0.05, 0.0]).double()).softmax(0)
    before = output(module, p)
    assert not same(output(module, other), before)
    three, five, seven = (_normal(kernel.detach()) for kernel in kernels(module))
    small = other[0] * _centre(three) + other[1] * _centre(five)
    total = p[0] * _centre(three) + p[1] * _centre(five) + p[2] * seven
    # |c * total - small| = other[2] for one c > 0 a filter, a quadratic equation: as long as the
    # small ones weigh less than the large one, its last coefficient is negative
    a, b = _dot(total, total), -2 * _dot(total, small)
    c = _dot(small, small) - other[2] ** 2
    scale = (-b + (b.square() - 4 * a * c).sqrt()) / (2 * a)
    assert (scale > 0).all()
    with torch.no_grad():
        kernels(module)[2].copy_((scale * total - small) / other[2])
    assert same(output(module, other), before)


def _normal(kernel: Tensor) -> Tensor:
    centred = kernel - kernel.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().sum((1, 2, 3), keepdim=True).sqrt()


def _centre(kernel: Tensor) -> Tensor:
    pad = (7 - kernel.shape[-1]) // 2
    return torch.nn.functional.pad(kernel, (pad,) * 4)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((1, 2, 3), keepdim=True)
