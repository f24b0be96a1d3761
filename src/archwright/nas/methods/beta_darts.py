"""beta-DARTS (Ye et al., CVPR 2022): a decay on the weights that alpha becomes.

The mean over edges of the log-sum-exp of alpha joins alpha's loss (eq. 12 and 13); its gradient is
the softmax of alpha, so that the strongest candidate is reduced the most. Its factor rises
linearly from 0 over the epochs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from archwright.engine.options import require_not_negative
from archwright.nas.method import Progress, option
from archwright.nas.methods.darts import PROXY, Darts
from archwright.nas.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class BetaDarts(Darts):
    """DARTS with beta-decay."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        # TopoNAS, Table III: beta-DARTS with twice the epochs
        "doubled": {"epochs": 200},
        # half a unit an epoch, as published
        "proxy": {**PROXY, "beta_decay": 2.5},
    }

    beta_decay: float = option(50.0, require_not_negative)
    """Factor of the beta-decay at the end of the search."""

    @override
    def recipe(self, space: str) -> Recipe:
        # Sunshine-Ye/Beta-DARTS, its searches on NAS-Bench-201
        return replace(
            super().recipe(space), epochs=100, nesterov=False, weight_decay=3e-4, alpha_first=True
        )

    @override
    def penalty(self, logits: "Tensor", progress: Progress) -> "Tensor":
        factor = self.beta_decay * progress.epoch / progress.epochs
        return factor * logits.logsumexp(dim=-1).mean()
