"""Estimators on a quadratic: their gradients lead its logits to a local optimum from any start.

No network and no search is in it: it does not say that a search on images converges.

Legend: E decisions, O candidates, N starts.
"""

import itertools

import pytest
import torch
from torch import Tensor

from archwright.nas.parameters.estimators import draw
from archwright.nas.recipe import Estimator

STARTS, E, O = 100, 3, 4
STEPS = 300


def loss(weights: Tensor) -> Tensor:
    """A quadratic [...] of weights [..., E, O] with interactions, and several local optima."""
    generator = torch.Generator().manual_seed(0)
    slope = torch.randn(E, O, generator=generator, dtype=torch.float64)
    pull = torch.randn(E * O, E * O, generator=generator, dtype=torch.float64) / 3
    flat = weights.flatten(-2)
    return (weights * slope).sum(dim=(-2, -1)) + torch.einsum("...i,ij,...j->...", flat, pull, flat)


def one_hot(choice: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(choice, O).double()


def local_optima() -> set[tuple[int, ...]]:
    """Architectures that no exchange of one candidate improves."""
    found: set[tuple[int, ...]] = set()
    for architecture in itertools.product(range(O), repeat=E):
        own = loss(one_hot(torch.tensor(architecture)))
        neighbours = (
            (*architecture[:e], o, *architecture[e + 1 :]) for e in range(E) for o in range(O)
        )
        if all(loss(one_hot(torch.tensor(n))) >= own - 1e-12 for n in neighbours):
            found.add(architecture)
    return found


@pytest.mark.parametrize(
    ("estimator", "tau_min"),
    [("soft", 0.1), ("straight-through", 0.1), ("rao", 0.1), ("reinmax", 1.0)],
)
def test_descent_by_an_estimator_ends_in_a_local_optimum_from_100_starts(
    estimator: Estimator, tau_min: float
) -> None:
    """Annealed as diffgraph is; ReinMax is made for a temperature of 1."""
    optima = local_optima()
    assert 1 < len(optima) < 10  # of 64: being in one of them says something
    torch.manual_seed(0)
    logits = torch.randn(STARTS, E, O, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for step in range(STEPS):
        tau = tau_min ** (step / STEPS)
        optimiser.zero_grad()
        samples = torch.stack(
            [draw(logits.log_softmax(dim=-1), tau, estimator).weights for _ in range(4)]
        )
        loss(samples).mean(dim=0).sum().backward()
        optimiser.step()
    ends = [tuple(row) for row in logits.argmax(dim=-1).tolist()]
    assert sum(end in optima for end in ends) == STARTS
