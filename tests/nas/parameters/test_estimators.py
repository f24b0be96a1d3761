"""Each estimator against the exact gradient, by enumeration, in float64.

Legend: N samples, E 2 decisions, O 3 candidates (the second decision has 2).
"""

import itertools
import math

import pytest
import torch
from torch import Tensor

from archwright.nas.parameters.estimators import conditional_gumbel, draw, gumbel_rao, reinmax
from archwright.nas.recipe import Estimator

THETA = torch.tensor([[0.4, -0.3, 0.9], [-0.5, 0.6, -torch.inf]], dtype=torch.float64)
PRESENT = ~THETA.isinf()
SAMPLES = 60_000
ALL: tuple[Estimator, ...] = ("soft", "straight-through", "reinmax", "rao")
HARD = ALL[1:]


def loss(weights: Tensor) -> Tensor:
    """A quadratic loss [N] of weights [N, E, O], which couples both decisions."""
    slope = torch.tensor([[1.0, -2.0, 0.5], [0.3, -0.7, 0.0]], dtype=torch.float64)
    curve = torch.tensor([[2.0, -1.0, 0.4], [-0.6, 1.5, 0.0]], dtype=torch.float64)
    linear = (weights * slope).sum(dim=(-2, -1))
    return linear + (weights * curve).sum(dim=(-2, -1)).square()


def exact_gradient() -> Tensor:
    """Of the expected loss, by going through all architectures [E, O]."""
    theta = THETA.clone().requires_grad_()
    p = theta.softmax(dim=-1)
    total = theta.new_zeros(())
    for first, second in itertools.product(range(3), range(2)):
        weights = torch.zeros(1, 2, 3, dtype=torch.float64)
        weights[0, 0, first] = weights[0, 1, second] = 1.0
        total = total + p[0, first] * p[1, second] * loss(weights)[0]
    return torch.autograd.grad(total, theta)[0]


def estimates(estimator: Estimator, tau: float, seed: int = 0) -> Tensor:
    """The gradient that each of N samples gives [N, E, O]."""
    torch.manual_seed(seed)
    theta = THETA.expand(SAMPLES, 2, 3).clone().requires_grad_()
    mixture = draw(theta.log_softmax(dim=-1), tau, estimator)
    return torch.autograd.grad(loss(mixture.weights).sum(), theta)[0]


def mean_and_error(gradients: Tensor) -> tuple[Tensor, Tensor]:
    return gradients.mean(dim=0), gradients.std(dim=0) / math.sqrt(len(gradients))


def bias(estimator: Estimator, tau: float) -> float:
    mean, _ = mean_and_error(estimates(estimator, tau))
    return float((mean - exact_gradient())[PRESENT].norm())


def variance(estimator: Estimator, tau: float) -> float:
    return float(estimates(estimator, tau).var(dim=0)[PRESENT].sum())


def test_reinmax_is_unbiased_where_the_loss_is_quadratic() -> None:
    mean, error = mean_and_error(estimates("reinmax", 1.0))
    off = (mean - exact_gradient()).abs()[PRESENT] / error[PRESENT]
    assert off.max() < 4.5


@pytest.mark.parametrize("estimator", ["soft", "straight-through", "rao"])
def test_the_others_are_biased_there(estimator: Estimator) -> None:
    mean, error = mean_and_error(estimates(estimator, 1.0))
    off = (mean - exact_gradient()).abs()[PRESENT] / error[PRESENT]
    assert off.max() > 10


def test_rao_has_the_mean_of_straight_through_and_less_variance() -> None:
    first, first_error = mean_and_error(estimates("straight-through", 0.5))
    second, second_error = mean_and_error(estimates("rao", 0.5, seed=1))
    error = (first_error.square() + second_error.square()).sqrt()
    assert ((first - second).abs()[PRESENT] / error[PRESENT]).max() < 4.5
    assert variance("rao", 0.5) < 0.8 * variance("straight-through", 0.5)


def test_soft_samples_trade_bias_for_variance_by_their_temperature() -> None:
    warm, cold = 1.0, 0.2
    assert bias("soft", cold) < 0.5 * bias("soft", warm)
    assert variance("soft", cold) > 2 * variance("soft", warm)


def test_averaging_samples_cuts_the_variance() -> None:
    """What `draws` does: four samples a step have a quarter of the variance of one."""
    gradients = estimates("soft", 0.5)
    four = gradients.view(-1, 4, 2, 3).mean(dim=1)
    ratio = four.var(dim=0)[PRESENT].sum() / gradients.var(dim=0)[PRESENT].sum()
    assert ratio == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize("estimator", HARD)
def test_hard_samples_are_one_hot_and_drawn_by_their_probabilities(estimator: Estimator) -> None:
    torch.manual_seed(0)
    log_p = THETA.log_softmax(dim=-1).expand(SAMPLES, 2, 3)
    weights = draw(log_p, 0.5, estimator).weights
    assert set(weights.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(weights.sum(dim=-1), torch.ones(SAMPLES, 2, dtype=torch.float64))
    assert torch.allclose(weights.mean(dim=0), THETA.softmax(dim=-1), atol=0.01)


@pytest.mark.parametrize("estimator", ALL)
def test_weights_inside_a_group_agree_with_the_sample(estimator: Estimator) -> None:
    torch.manual_seed(0)
    for _ in range(20):
        mixture = draw(THETA.log_softmax(dim=-1), 0.3, estimator)
        inside = mixture.conditional(0, [0, 2])
        sampled = mixture.weights[0, [0, 2]]
        if estimator == "soft":
            assert torch.allclose(inside, sampled / sampled.sum())
        elif sampled.sum() > 0:
            assert torch.equal(inside, sampled)
        assert inside.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("estimator", ALL)
def test_gradients_are_finite_at_any_temperature(estimator: Estimator) -> None:
    torch.manual_seed(0)
    for tau in (1e-3, 1.0, 1e3):
        theta = (THETA.float() * 40).requires_grad_()
        mixture = draw(theta.log_softmax(dim=-1), tau, estimator)
        total = (mixture.weights * torch.arange(3.0)).sum() + mixture.conditional(0, [0, 1])[0]
        (gradient,) = torch.autograd.grad(total, theta)
        assert gradient.isfinite().all()


def test_conditional_noise_is_the_noise_of_those_samples() -> None:
    """Drawn together with the sample, it is Gumbel noise around the log-probabilities again."""
    torch.manual_seed(0)
    log_p = THETA[:1].log_softmax(dim=-1).expand(SAMPLES, 1, 3)
    sample = torch.nn.functional.one_hot(
        torch.distributions.Categorical(logits=log_p).sample(), 3
    ).to(log_p)
    (perturbed,) = conditional_gumbel(log_p, sample, 1)
    assert torch.equal(perturbed.argmax(dim=-1), sample.argmax(dim=-1))
    noise = perturbed - log_p
    euler = 0.5772156649
    assert torch.allclose(noise.mean(dim=0), torch.full((1, 3), euler).double(), atol=0.03)
    assert torch.allclose(noise.var(dim=0), torch.full((1, 3), math.pi**2 / 6).double(), rtol=0.04)


def test_stand_ins_have_the_value_that_they_are_named_for() -> None:
    log_p = THETA.log_softmax(dim=-1)
    sample = torch.zeros_like(log_p)
    sample[0, 1] = sample[1, 0] = 1.0
    p = log_p.exp()
    assert torch.allclose(reinmax(log_p, sample, 1.0), (sample + p) - p / 2)
    torch.manual_seed(0)
    averaged = gumbel_rao(log_p, sample, 0.2, draws=64)
    assert torch.allclose(averaged.sum(dim=-1), torch.ones(2).double())
    assert torch.equal(averaged.argmax(dim=-1), sample.argmax(dim=-1))
