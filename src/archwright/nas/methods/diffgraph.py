"""DiffGraphNAS: a search over a graph whose operations and connections both carry weights.

Weights are Gumbel-softmax samples with path-wise gradients (soft, or hard with a stand-in for the
gradient), annealed; alpha's step averages several samples, each on a part of the batch. What the
abstract leaves open, and how it was decided, stands in docs/diffgraph.md.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor
from typing_extensions import override

from archwright.cost import Encoding
from archwright.engine.options import require
from archwright.graph import Network
from archwright.lowering import Mixture
from archwright.nas.method import Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.parameters.alpha import Alpha
from archwright.nas.parameters.encoded import EncodedAlpha
from archwright.nas.parameters.estimators import draw
from archwright.nas.parameters.graph_alpha import GraphAlpha
from archwright.nas.parameters.noise import require_annealing
from archwright.nas.recipe import Estimator, Recipe


@dataclass(frozen=True, kw_only=True)
class DiffGraph(Darts):
    """Weighted connections and operations, sampled."""

    ranks_none: ClassVar[bool] = True
    # 4 and 16 finalists were no better within budgets on the seeds that settings are chosen on
    finalists: ClassVar[int] = 1

    estimator: Estimator = "soft"
    draws: int = 4
    tau: float = 1.0
    tau_min: float = 0.1
    encoder: bool = False
    progressive: bool = True
    factored_null: bool = True

    def __post_init__(self) -> None:
        require_annealing(self.tau, self.tau_min)
        require(
            self.factored_null or not self.encoder,
            "--encoder conditions connections of their own: leave out --no-factored-null",
        )

    @override
    def recipe(self, space: str) -> Recipe:
        # ours: the abstract names none; alpha is not pulled back to uniform weights
        return replace(super().recipe(space), nesterov=False, alpha_weight_decay=0.0)

    @override
    def alpha(self, network: Network, deviation: float) -> Alpha:
        if not self.factored_null:
            return super().alpha(network, deviation)
        return GraphAlpha(network, deviation=deviation)

    @override
    def with_graph_encoding(self, alpha: Alpha, network: Network, encoding: Encoding) -> Alpha:
        return EncodedAlpha.around(alpha, network, encoding) if self.encoder else alpha

    @override
    def mixture(self, logits: Tensor, moment: Progress) -> Mixture:
        tau = self.tau * (self.tau_min / self.tau) ** moment.between(0.0, 1.0)
        return draw(logits, tau, self.estimator)

    @property
    @override
    def progressive_shrinking(self) -> bool:
        return self.progressive

    @property
    @override
    def alpha_draws(self) -> int:
        return self.draws
