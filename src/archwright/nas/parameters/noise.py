"""Noise whose draws are differentiable (path-wise gradients).

Legend: E decisions, O candidates of the largest decision.
"""

import torch
from torch import Tensor
from torch.distributions import Gamma


def gumbel(like: Tensor) -> Tensor:
    """Draw standard Gumbel noise of the shape of `like`: -log(Exp(1)), finite."""
    exponential = torch.empty_like(like, requires_grad=False).exponential_()
    return -exponential.clamp(min=torch.finfo(like.dtype).tiny).log()


def dirichlet(concentration: Tensor) -> Tensor:
    """Draw from the Dirichlet distribution of each row [E, O], with path-wise gradients.

    A concentration of 0 (padding) gets no mass. Gamma draws are normalised, so that a row's
    padding costs nothing but its own draw (Figurnov et al., NeurIPS 2018).
    """
    present = concentration > 0
    draws = Gamma(torch.where(present, concentration, 1.0), 1.0, validate_args=False).rsample()
    draws = torch.where(present, draws.clamp(min=torch.finfo(draws.dtype).tiny), 0.0)
    return draws / draws.sum(dim=-1, keepdim=True)
