"""GDAS (Dong and Yang, CVPR 2019): one sampled candidate a decision, and nothing else executed.

Samples are the largest of (log softmax(alpha) + Gumbel noise) / tau, hard in value, soft in
gradient (eq. 3 to 5); tau falls linearly over the epochs. What is not executed joins as a scalar of
value zero, through which its weight receives a gradient.
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
class Gdas(Darts):
    """Hard Gumbel samples, of which only the sampled path runs."""

    tau: float = 10.0
    tau_min: float = 0.1

    def __post_init__(self) -> None:
        require_annealing(self.tau, self.tau_min)

    @override
    def recipe(self, space: str) -> Recipe:
        # D-X-Y/AutoDL-Projects, configs/nas-benchmark/algos
        return replace(super().recipe(space), epochs=250, nesterov=True, weight_decay=5e-4)

    @override
    def mixture(self, logits: Tensor, moment: Progress) -> Mixture:
        noisy = logits.log_softmax(dim=-1) + gumbel(logits)
        tau = moment.between(self.tau, self.tau_min)
        return Mixture.straight_through(noisy / tau, only_sample=True)
