"""SNAS (Xie et al., ICLR 2019): soft samples of the concrete distribution, annealed.

Weights are softmax((log softmax(alpha) + Gumbel noise) / tau) (eq. 5), drawn once a step; tau falls
exponentially. The paper trains weights and alpha by one loss on the same images; here alpha has
its own half of the images, as in every other method.
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
class Snas(Darts):
    """Soft Gumbel samples; all candidates are executed."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        # softer samples: noise costs more where steps are few
        "proxy": {**PROXY, "tau": 5.0, "tau_min": 1.0},
    }

    tau: float = option(1.0, require_positive)
    """Temperature in the first epoch."""
    tau_min: float = option(0.03, require_positive)
    """Temperature in the last epoch."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        require_annealing(self.tau, self.tau_min)

    @override
    def recipe(self, space: str) -> Recipe:
        # SNAS-Series/SNAS-Series, SNAS/train_search.py
        return replace(super().recipe(space), epochs=150, nesterov=False, weight_decay=3e-4)

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        from archwright.lowering import Mixture
        from archwright.nas.parameters.noise import gumbel

        tau = self.tau * (self.tau_min / self.tau) ** progress.linear(0.0, 1.0)
        return Mixture.from_logits((logits.log_softmax(dim=-1) + gumbel(logits)) / tau)
