"""Samples of categorical weights whose gradients flow path-wise, and how biased each one is.

Every sample of a decision's weights is a function of its log-probabilities and of noise that does
not depend on them. `soft` samples are inner points of the simplex: their gradient is that of what
was computed, which is the wanted expectation only as the temperature falls. The others are one-hot
in value and differ in the gradient that stands in for the missing one.

Legend: E decisions, O candidates of the largest decision, K conditional draws.
"""

import torch
from torch import Tensor

from archwright.lowering import Mixture
from archwright.nas.parameters.noise import gumbel
from archwright.nas.recipe import Estimator

_CONDITIONAL_DRAWS = 16
"""K: softmaxes that a Rao-Blackwellised gradient averages; each is a few numbers a decision."""


def draw(log_p: Tensor, tau: float, estimator: Estimator) -> Mixture:
    """A sample of log-probabilities [..., E, O]; padding is -inf.

    The conditional weights inside a group of candidates are those of the same perturbed
    log-probabilities, so that they agree with the sample.
    """
    noisy = (log_p + gumbel(log_p)) / tau
    if estimator == "soft":
        return Mixture.from_logits(noisy)
    mixture = Mixture.straight_through(noisy, only_sample=False)
    if estimator == "straight-through":
        return mixture
    sample = mixture.weights.detach().round()
    stand_in = (
        reinmax(log_p, sample, tau) if estimator == "reinmax" else gumbel_rao(log_p, sample, tau)
    )
    weights = sample + (stand_in - stand_in.detach())
    return Mixture(weights, mixture.log_weights, hard=True)


def reinmax(log_p: Tensor, sample: Tensor, tau: float) -> Tensor:
    """What stands in for a one-hot sample [..., E, O] while differentiating (second order).

    Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", NeurIPS 2023,
    algorithm 2: the trapezoidal rule in place of the rectangle that straight-through is. Of a
    quadratic loss it is unbiased at temperature 1.
    """
    p = log_p.softmax(dim=-1)
    middle = (sample + (log_p / tau).softmax(dim=-1)) / 2
    # the softmax whose value is `middle`: log_p enters with its gradient, the rest is a constant
    apart = torch.where(log_p.isinf(), 0.0, middle.log() - log_p).detach()
    return 2 * (log_p + apart).softmax(dim=-1) - p / 2


def gumbel_rao(
    log_p: Tensor, sample: Tensor, tau: float, draws: int = _CONDITIONAL_DRAWS
) -> Tensor:
    """What stands in for a one-hot sample [..., E, O] while differentiating (less variance).

    Paulus, Maddison and Krause, "Rao-Blackwellizing the Straight-Through Gumbel-Softmax Gradient
    Estimator", ICLR 2021, eq. 7: the mean over noise given the sample, which has the same
    expectation as straight-through.
    """
    perturbed = conditional_gumbel(log_p.detach(), sample, draws)
    apart = torch.where(log_p.isinf(), 0.0, perturbed - log_p.detach())
    return ((log_p + apart) / tau).softmax(dim=-1).mean(dim=0)


def conditional_gumbel(log_p: Tensor, sample: Tensor, draws: int) -> Tensor:
    """Perturbed log-probabilities [K, ..., E, O] of which the sampled ones are the largest.

    The largest of them is a standard Gumbel variable; the others are Gumbel variables around their
    log-probabilities, cut off there (Maddison, Tarlow and Minka, "A* Sampling", NeurIPS 2014).
    """
    shape = (draws, *log_p.shape)
    exponential = torch.empty(shape, dtype=log_p.dtype, device=log_p.device).exponential_()
    exponential = exponential.clamp(min=torch.finfo(log_p.dtype).tiny)
    top = (exponential * sample).sum(dim=-1, keepdim=True)
    others = -(exponential * (-log_p).exp() + top).log()
    return torch.where(sample > 0, -top.log(), others)
