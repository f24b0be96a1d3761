"""GDAS (Dong and Yang, CVPR 2019): only one sampled candidate of each decision is executed.

Samples are the largest of (log softmax(alpha) + Gumbel noise) / tau, hard in value, soft in
gradient (eq. 3 to 5); tau falls linearly over the epochs. Candidates that are not executed are
added as scalars of value zero, through which their weights receive a gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from archwright.engine.options import require_positive
from archwright.nas.method import Progress, option
from archwright.nas.methods.darts import PROXY, Darts
from archwright.nas.recipe import Recipe, require_annealing

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import Mixture


@dataclass(frozen=True, kw_only=True)
class Gdas(Darts):
    """Hard Gumbel samples; only the sampled path is executed."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        # a path a step: more and cheaper steps, as in its published settings; too few of them to
        # cool down in (docs/methods/gdas.md)
        "proxy": {**PROXY, "epochs": 16, "alpha_lr": 1e-2, "alpha_start": 4, "tau_min": 10.0},
    }

    tau: float = option(10.0, require_positive)
    """Temperature in the first epoch."""
    tau_min: float = option(0.1, require_positive)
    """Temperature in the last epoch."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        require_annealing(self.tau, self.tau_min)

    @override
    def recipe(self, space: str) -> Recipe:
        # D-X-Y/AutoDL-Projects, configs/nas-benchmark/algos
        return replace(super().recipe(space), epochs=250, nesterov=True, weight_decay=5e-4)

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        from archwright.lowering import Mixture
        from archwright.nas.parameters.noise import gumbel

        noisy = logits.log_softmax(dim=-1) + gumbel(logits)
        tau = progress.linear(self.tau, self.tau_min)
        return Mixture.straight_through(noisy / tau, only_sample=True)
