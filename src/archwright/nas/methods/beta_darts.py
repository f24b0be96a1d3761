"""beta-DARTS (Ye et al., CVPR 2022): a decay on the weights that alpha becomes.

The mean over edges of the log-sum-exp of alpha joins alpha's loss (eq. 12 and 13); its gradient is
the softmax of alpha, so that the strongest candidate is held back the most. Its factor rises
linearly from 0 over the epochs.
"""

from dataclasses import dataclass, replace

from torch import Tensor
from typing_extensions import override

from archwright.nas.method import Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class BetaDarts(Darts):
    """DARTS with beta-decay."""

    beta_decay: float = 50.0

    @override
    def recipe(self, space: str) -> Recipe:
        # Sunshine-Ye/Beta-DARTS, its searches on NAS-Bench-201
        return replace(
            super().recipe(space), epochs=100, nesterov=False, weight_decay=3e-4, alpha_first=True
        )

    @override
    def penalty(self, logits: Tensor, moment: Progress) -> Tensor:
        factor = self.beta_decay * moment.epoch / moment.epochs
        return factor * logits.logsumexp(dim=-1).mean()
