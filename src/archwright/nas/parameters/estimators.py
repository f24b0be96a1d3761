"""Gradient estimators: samples of categorical weights with path-wise gradients, and their bias.

Every sample of a decision's weights is a function of its log-probabilities and of noise that does
not depend on them. `soft` samples are inner points of the simplex: their gradient is exact for the
relaxed loss, whose expectation approaches that of one-hot samples only as the temperature falls.
The others are one-hot in value and differ in the surrogate gradient that they use.

Legend: E decisions, O candidates of the largest decision, K conditional draws.
"""

import torch
from torch import Tensor

from archwright.lowering import Mixture
from archwright.nas.parameters.noise import gumbel
from archwright.nas.recipe import Estimator

_CONDITIONAL_DRAWS = 16
"""K: number of softmaxes that a Rao-Blackwellised gradient averages."""


def draw(log_p: Tensor, tau: float, estimator: Estimator) -> Mixture:
    """Draw a mixture from log-probabilities [..., E, O]; padding is -inf.

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
    """Return the surrogate of a one-hot sample [..., E, O] for its gradient (second order).

    Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", NeurIPS 2023,
    algorithm 2: the trapezoidal rule, where straight-through is the rectangle rule. It is unbiased
    for a quadratic loss at temperature 1.
    """
    p = log_p.softmax(dim=-1)
    middle = (sample + (log_p / tau).softmax(dim=-1)) / 2
    # the softmax whose value is `middle`: log_p enters with its gradient, the rest is a constant
    apart = torch.where(log_p.isinf(), 0.0, middle.log() - log_p).detach()
    return 2 * (log_p + apart).softmax(dim=-1) - p / 2


def gumbel_rao(
    log_p: Tensor, sample: Tensor, tau: float, draws: int = _CONDITIONAL_DRAWS
) -> Tensor:
    """Return the surrogate of a one-hot sample [..., E, O] for its gradient (less variance).

    Paulus, Maddison and Krause, "Rao-Blackwellizing the Straight-Through Gumbel-Softmax Gradient
    Estimator", ICLR 2021, eq. 7: the mean over noise given the sample, which has the same
    expectation as straight-through.
    """
    perturbed = conditional_gumbel(log_p.detach(), sample, draws)
    apart = torch.where(log_p.isinf(), 0.0, perturbed - log_p.detach())
    return ((log_p + apart) / tau).softmax(dim=-1).mean(dim=0)


def conditional_gumbel(log_p: Tensor, sample: Tensor, draws: int) -> Tensor:
    """Draw perturbed log-probabilities [K, ..., E, O] whose largest entries are the sampled ones.

    The largest of them is a standard Gumbel variable; the others are Gumbel variables around their
    log-probabilities, truncated at it (Maddison, Tarlow and Minka, "A* Sampling", NeurIPS 2014).
    """
    shape = (draws, *log_p.shape)
    exponential = torch.empty(shape, dtype=log_p.dtype, device=log_p.device).exponential_()
    exponential = exponential.clamp(min=torch.finfo(log_p.dtype).tiny)
    top = (exponential * sample).sum(dim=-1, keepdim=True)
    others = -(exponential * (-log_p).exp() + top).log()
    return torch.where(sample > 0, -top.log(), others)
