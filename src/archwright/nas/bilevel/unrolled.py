"""Second-order gradient of alpha (Liu et al., DARTS, ICLR 2019, eq. 7 and 8).

Alpha's loss is taken at w' = w - xi (grad_w L_train(w, alpha) + momentum and decay), and w' depends
on alpha: d alpha = grad_alpha L_valid(w', alpha) - xi grad_alpha <grad_w L_train(w, alpha), v> with
v = grad_w' L_valid(w', alpha).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from archwright.nas.recipe import Unroll

Loss = Callable[[], Tensor]
"""Function that returns the loss of a batch at the present weights and alpha."""

Average = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Function from the gradients of a process's part of a batch to those of the whole batch."""

_REACH = 1e-2
"""Length of the step of the finite difference (quark0/darts, cnn/architect.py)."""


def second_order(
    weights: Sequence[nn.Parameter],
    alpha: Sequence[nn.Parameter],
    train: Loss,
    valid: Loss,
    optimiser: torch.optim.SGD,
    unroll: Unroll,
    *,
    average: Average = tuple,
) -> None:
    """Fill the gradients of `alpha`.

    Weights and optimiser are left as they were; gradients of the weights are not kept. On several
    processes w' and v must be those of the whole batch, and `average` computes them; then the mean
    of alpha's gradients over the processes is that of the whole batch, too.
    """
    start = [weight.detach().clone() for weight in weights]
    rate = optimiser.param_groups[0]["lr"]
    gradients = average(torch.autograd.grad(train(), weights, materialize_grads=True))
    try:
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.sub_(rate * _direction(weight, gradient, optimiser))
        found = torch.autograd.grad(valid(), [*alpha, *weights], materialize_grads=True)
        of_alpha, v = found[: len(alpha)], average(found[len(alpha) :])
        _set(weights, start)
        products = _PRODUCTS[unroll](weights, start, alpha, train, v)
    finally:
        _set(weights, start)
    for parameter, first, second in zip(alpha, of_alpha, products, strict=True):
        parameter.grad = first - rate * second


def _direction(weight: Tensor, gradient: Tensor, optimiser: torch.optim.SGD) -> Tensor:
    """Return the direction of a step of SGD, without Nesterov's look-ahead (as in quark0/darts)."""
    group = optimiser.param_groups[0]
    direction = gradient + group["weight_decay"] * weight
    buffer = optimiser.state[weight].get("momentum_buffer")
    return direction if buffer is None else direction + group["momentum"] * buffer


def _finite(
    weights: Sequence[Tensor],
    start: Sequence[Tensor],
    alpha: Sequence[nn.Parameter],
    train: Loss,
    v: Sequence[Tensor],
) -> Sequence[Tensor]:
    """Return grad_alpha <grad_w L_train, v>, as a central difference along v."""
    norm = torch.stack([part.norm() for part in v]).norm()
    reach = _REACH / norm.clamp(min=torch.finfo(norm.dtype).tiny)
    ends: list[Sequence[Tensor]] = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for weight, centre, part in zip(weights, start, v, strict=True):
                weight.copy_(centre + sign * reach * part)
        ends.append(torch.autograd.grad(train(), alpha, materialize_grads=True))
    return [(ahead - behind) / (2.0 * reach) for ahead, behind in zip(*ends, strict=True)]


def _exact(
    weights: Sequence[Tensor],
    start: Sequence[Tensor],
    alpha: Sequence[nn.Parameter],
    train: Loss,
    v: Sequence[Tensor],
) -> Sequence[Tensor]:
    """Return grad_alpha <grad_w L_train, v>, by differentiating twice."""
    gradients = torch.autograd.grad(
        train(), list(weights), create_graph=True, materialize_grads=True
    )
    products = [(g * part).sum() for g, part in zip(gradients, v, strict=True)]
    product = torch.stack(products).sum()
    return torch.autograd.grad(product, alpha, materialize_grads=True)


_PRODUCTS = {"finite": _finite, "exact": _exact}


@torch.no_grad()
def _set(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
