"""SNAS (Xie et al., ICLR 2019): soft samples of the concrete distribution, annealed.

Weights are softmax((log softmax(alpha) + Gumbel noise) / tau) (eq. 5), drawn once a step; tau falls
exponentially. The paper trains weights and alpha by one loss on the same images; here alpha has
its own half, as with every other method.
"""

from dataclasses import dataclass, replace

from torch import Tensor
from typing_extensions import override

from archwright.lowering import Mixture
from archwright.nas.method import Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.parameters.noise import gumbel, require_annealing
from archwright.nas.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Snas(Darts):
    """Soft Gumbel samples, all candidates executed."""

    tau: float = 1.0
    tau_min: float = 0.03

    def __post_init__(self) -> None:
        require_annealing(self.tau, self.tau_min)

    @override
    def recipe(self, space: str) -> Recipe:
        # SNAS-Series/SNAS-Series, SNAS/train_search.py
        return replace(super().recipe(space), epochs=150, nesterov=False, weight_decay=3e-4)

    @override
    def mixture(self, logits: Tensor, moment: Progress) -> Mixture:
        tau = self.tau * (self.tau_min / self.tau) ** moment.between(0.0, 1.0)
        return Mixture.from_logits((logits.log_softmax(dim=-1) + gumbel(logits)) / tau)
