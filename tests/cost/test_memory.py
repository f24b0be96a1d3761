"""Bytes kept for backward: each storage once, parameters never, the same on every device."""

import pytest
import torch
from torch.nn import functional as F

from archwright.cost import activation_bytes, estimate_training_bytes, saved_bytes
from archwright.graph import INPUT, BatchNorm, Conv, Network, Op, ReLU, Shape, Step, chain
from archwright.lowering import GraphModule, Mixture

from ..strategies import ALL_SPACES, any_space, mixture_of, tiny

FLOAT = 4


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_each_storage_counts_once(device: str) -> None:
    a = torch.ones(10, requires_grad=True, device=device)
    weight = torch.ones(10, requires_grad=True, device=device)

    def run() -> None:
        b = a.exp()  # keeps b
        c = b * b  # keeps b twice more
        d = c[:5] * b[5:]  # keeps c, whole, through a view, and b again
        (d.sum() * 2 + (a * weight).sum()).abs()  # keeps a (weight is a parameter), and a scalar

    expected = FLOAT * (10 + 10 + 10 + 1)
    assert saved_bytes(run, [weight]) == expected
    assert saved_bytes(run, [weight, a]) == expected - FLOAT * 10
    assert saved_bytes(lambda: a.detach().exp(), [weight]) == 0


def test_storages_that_come_and_go_count_one_by_one() -> None:
    a = torch.ones(1000, requires_grad=True)
    runs = 20

    def run() -> None:
        for _ in range(runs):
            a.exp().sum()  # freed at once, so that an address may be used again

    assert saved_bytes(run, [a]) == runs * FLOAT * 1000


def test_gradients_are_those_without_counting() -> None:
    a = torch.randn(5, requires_grad=True)
    made: list[torch.Tensor] = []
    saved_bytes(lambda: made.append(F.softplus(a.exp()).sum()), [a])
    made[0].backward()
    assert a.grad is not None
    torch.testing.assert_close(a.grad, torch.sigmoid(a.exp()).detach() * a.exp().detach())


def small() -> Network:
    body = chain(Op(Conv(3, 4, 3), "conv"), Op(BatchNorm(4), "norm"), ReLU())
    return Network(Shape(3, 8, 8), (Step("only", body, (INPUT,)),))


def test_a_network_by_hand() -> None:
    image, features = 3 * 8 * 8, 4 * 8 * 8
    # the image for the conv, its output for the norm, the relu's output; mean and deviation
    expected = FLOAT * (2 * (image + features + features) + 2 * 4)
    assert activation_bytes(small(), batch_size=2) == expected


@pytest.mark.parametrize("name", ALL_SPACES)
def test_counting_without_running_agrees_with_running(name: str) -> None:
    supernet = any_space(name).supernet(tiny(name))
    module = GraphModule(supernet)
    images, mixture = torch.randn(2, *supernet.image), mixture_of(module)
    assert mixture is not None
    logits = torch.zeros(mixture.weights.shape, requires_grad=True)
    resident = [*module.parameters(), *module.buffers()]
    real = saved_bytes(lambda: module(images, Mixture.from_logits(logits)), resident)
    assert activation_bytes(supernet, 2) == pytest.approx(real, rel=0.02)


@pytest.mark.parametrize("name", ALL_SPACES)
def test_the_estimate_is_right_within_a_factor(name: str) -> None:
    supernet = any_space(name).supernet(tiny(name))
    counted = activation_bytes(supernet, 16)
    counted += 3 * FLOAT * sum(p.numel() for p in GraphModule(supernet).parameters())
    assert counted / 2 < estimate_training_bytes(supernet, 16) < 2 * counted


def test_the_estimate_by_hand() -> None:
    weights, features = 4 * 3 * 9 + 8, 3 * 4 * 8 * 8
    assert estimate_training_bytes(small(), 2) == FLOAT * (2 * features + 4 * weights)
