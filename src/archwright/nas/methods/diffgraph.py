"""DiffGraphNAS: a search over a graph whose operations and connections both have weights.

Weights are Gumbel-softmax samples with path-wise gradients (soft, or hard with a surrogate
gradient), annealed; a step of alpha averages several samples, each on a part of the batch.
docs/diffgraph.md lists the decisions that the abstract leaves open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from archwright.engine.options import require, require_positive
from archwright.nas.method import Progress, option
from archwright.nas.methods.darts import PROXY, Darts
from archwright.nas.recipe import Estimator, Recipe, require_annealing

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.cost import Encoding
    from archwright.graph import Network
    from archwright.lowering import Mixture
    from archwright.nas.parameters.alpha import Alpha


@dataclass(frozen=True, kw_only=True)
class DiffGraph(Darts):
    """Samples of weighted connections and operations."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        # softer samples: noise costs more where steps are few; one sample a step, and nothing
        # dropped before it has had a chance
        "proxy": {
            **{**PROXY, "tau": 5.0, "tau_min": 1.0, "draws": 1},
            **{"keep_null": False, "progressive": False},
            # alpha settles as its rate falls: chosen for the second freeze (docs/protocol.md)
            **{"alpha_lr": 0.06, "alpha_lr_min": 0.002},
        },
    }
    unpruned: ClassVar[Mapping[str, Any]] = {"progressive": False}
    ranks_none: ClassVar[bool] = True
    # 4 and 16 finalists were no better within budgets on the seeds that settings are chosen on
    finalists: ClassVar[int] = 1

    estimator: Estimator = "soft"
    """Gradient estimator of samples: soft (relaxed samples), or hard samples with the gradient of
    straight-through, reinmax (ReinMax) or rao (Gumbel-Rao, averaged over noise)."""
    draws: int = option(4, require_positive)
    """Number of samples that are averaged in a step of alpha, each on a part of the batch."""
    tau: float = option(1.0, require_positive)
    """Temperature in the first epoch."""
    tau_min: float = option(0.1, require_positive)
    """Temperature in the last epoch."""
    encoder: bool = False
    """Condition the logits of operations and connections by a graph encoder."""
    progressive: bool = True
    """Prune operations and connections of negligible weight during the search."""
    factored_null: bool = True
    """Learn the weight of a connection separately from the operation on it; otherwise none is one
    candidate of a softmax over all of them."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
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
    def alpha(self, network: "Network", deviation: float) -> "Alpha":
        from archwright.nas.parameters.graph_alpha import GraphAlpha

        if not self.factored_null:
            return super().alpha(network, deviation)
        return GraphAlpha(network, deviation=deviation)

    @override
    def with_graph_encoding(
        self, alpha: "Alpha", network: "Network", encoding: "Encoding"
    ) -> "Alpha":
        from archwright.nas.parameters.encoded import EncodedAlpha

        return EncodedAlpha.from_alpha(alpha, network, encoding) if self.encoder else alpha

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        from archwright.nas.parameters.estimators import draw

        tau = self.tau * (self.tau_min / self.tau) ** progress.linear(0.0, 1.0)
        return draw(logits, tau, self.estimator)

    @property
    @override
    def progressive_shrinking(self) -> bool:
        return self.progressive

    @property
    @override
    def alpha_draws(self) -> int:
        return self.draws
