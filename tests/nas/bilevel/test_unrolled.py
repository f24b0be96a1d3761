"""The second-order gradient of alpha against exact cases."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archwright.lowering import GraphModule, Mixture
from archwright.nas.bilevel import unrolled
from archwright.nas.bilevel.unrolled import Average, second_order
from archwright.nas.recipe import Unroll
from archwright.spaces import Size, get_space

from ..oracle import Oracle

EITHER = pytest.mark.parametrize("unroll", ["finite", "exact"])


class Quadratic:
    """L_train = |w - A alpha|^2 / 2 and L_valid = |w - b|^2 / 2 + c alpha."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        shapes = {"a": (4, 3), "b": (4,), "c": (3,), "w": (4,), "alpha": (3,)}
        drawn = {n: torch.randn(s, generator=generator).double() for n, s in shapes.items()}
        self.a, self.b, self.c = drawn["a"], drawn["b"], drawn["c"]
        self.w, self.alpha = nn.Parameter(drawn["w"]), nn.Parameter(drawn["alpha"])
        self.optimiser = torch.optim.SGD([self.w], lr=0.3, momentum=0.9, weight_decay=0.2)

    def train(self) -> Tensor:
        return (self.w - self.a @ self.alpha).square().sum() / 2

    def valid(self) -> Tensor:
        return (self.w - self.b).square().sum() / 2 + self.c @ self.alpha

    def second_order(self, unroll: Unroll, average: Average = tuple) -> Tensor:
        losses = self.train, self.valid
        second_order([self.w], [self.alpha], *losses, self.optimiser, unroll, average=average)
        assert self.alpha.grad is not None
        return self.alpha.grad

    def step(self) -> None:
        self.optimiser.zero_grad()
        self.train().backward()
        self.optimiser.step()


@EITHER
def test_a_quadratic_case_in_closed_form(unroll: Unroll) -> None:
    """d alpha = c + xi A^T (w' - b): both ways are exact where the loss is quadratic."""
    case = Quadratic()
    a, w, alpha = case.a, case.w.detach().clone(), case.alpha.detach().clone()
    stepped = w - 0.3 * (w - a @ alpha + 0.2 * w)
    expected = case.c + 0.3 * a.T @ (stepped - case.b)
    torch.testing.assert_close(case.second_order(unroll), expected, rtol=1e-9, atol=1e-10)


@EITHER
def test_the_step_is_the_optimisers_own(unroll: Unroll) -> None:
    """Its momentum is felt, and neither weights nor optimiser move."""
    case = Quadratic()
    case.step()
    before = case.w.detach().clone()
    momentum = case.optimiser.state[case.w]["momentum_buffer"].clone()
    found = case.second_order(unroll).clone()
    assert torch.equal(case.w, before)
    assert torch.equal(case.optimiser.state[case.w]["momentum_buffer"], momentum)
    case.step()  # what SGD makes of it
    expected = case.c + 0.3 * case.a.T @ (case.w.detach() - case.b)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


class Meeting:
    """Averages what several threads hand over at the same place, as processes do."""

    def __init__(self, count: int) -> None:
        self.barrier = Barrier(count, timeout=60)
        self.given: list[Sequence[Tensor]] = [()] * count

    def average(self, rank: int, own: Sequence[Tensor]) -> list[Tensor]:
        self.given[rank] = own
        self.barrier.wait()
        found = [torch.stack(same).mean(dim=0) for same in zip(*self.given, strict=True)]
        self.barrier.wait()
        return found


@EITHER
def test_processes_give_together_what_one_gives_on_the_whole_batch(unroll: Unroll) -> None:
    """Each has losses of its own; the step of the weights and v are those of their mean."""
    whole, meeting = Quadratic(), Meeting(2)
    parts = [Quadratic(), Quadratic()]
    for part, by in zip(parts, (-0.5, 0.5), strict=True):
        part.a, part.b, part.c = part.a * (1 + by), part.b + by, part.c - by
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda rank: parts[rank].second_order(unroll, partial(meeting.average, rank)), (0, 1)
        )
        mean = torch.stack(list(found)).mean(dim=0)
    for part in parts:
        part.w, part.alpha = whole.w, whole.alpha
    whole.train = lambda: (parts[0].train() + parts[1].train()) / 2
    whole.valid = lambda: (parts[0].valid() + parts[1].valid()) / 2
    torch.testing.assert_close(mean, whole.second_order(unroll), rtol=1e-9, atol=1e-10)


def test_weights_are_put_back_when_a_loss_fails() -> None:
    case = Quadratic()
    before = case.w.detach().clone()
    case.valid = lambda: 1 / 0  # pyright: ignore
    with pytest.raises(ZeroDivisionError):
        case.second_order("finite")
    assert torch.equal(case.w, before)


@EITHER
def test_a_network_against_differentiating_through_the_step(
    plain: str, monkeypatch: pytest.MonkeyPatch, unroll: Unroll
) -> None:
    """The oracle's weights after a step are a function of alpha, differentiated as one."""
    torch.manual_seed(3)
    size = Size(channels=4, cells=1, image_size=8, image_channels=1)
    network = GraphModule(get_space(plain).supernet(size)).double()
    alpha = nn.Parameter(torch.randn(3, 3).double())
    images, labels = torch.randn(2, 6, 1, 8, 8).double(), torch.randint(10, (2, 6))
    named = {n.removeprefix("slots."): p for n, p in network.named_parameters()}
    optimiser = torch.optim.SGD(named.values(), lr=0.5, weight_decay=0.1)

    def loss(half: int) -> Tensor:
        scores, _ = network(images[half], Mixture.from_logits(alpha))
        return F.cross_entropy(scores, labels[half])

    leaf = alpha.detach().clone().requires_grad_()
    start = {name: p.detach().clone().requires_grad_() for name, p in named.items()}
    trained = Oracle(start, leaf).loss(images[0], labels[0])
    steps = torch.autograd.grad(trained, list(start.values()), create_graph=True)
    after = {
        name: w - 0.5 * (gradient + 0.1 * w)
        for (name, w), gradient in zip(start.items(), steps, strict=True)
    }
    (expected,) = torch.autograd.grad(Oracle(after, leaf).loss(images[1], labels[1]), leaf)
    (first,) = torch.autograd.grad(loss(1), alpha)

    monkeypatch.setattr(unrolled, "_REACH", 1e-6)  # within which no ReLU switches
    second_order(list(named.values()), [alpha], lambda: loss(0), lambda: loss(1), optimiser, unroll)
    assert alpha.grad is not None
    tolerance = {"exact": 1e-9, "finite": 1e-4}[unroll] * (expected - first).abs().max()
    assert (alpha.grad - expected).abs().max() < tolerance
