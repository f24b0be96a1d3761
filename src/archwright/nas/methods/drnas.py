"""DrNAS (Chen et al., ICLR 2021): weights drawn from Dirichlet distributions.

Alpha gives concentrations, elu(alpha) + 1; weights are drawn from them with path-wise gradients
(eq. 3 and 4). The distance to the uniform Dirichlet that the paper adds (eq. 6) is alpha's weight
decay, as in its code: alpha = 0 is the uniform one. The paper's progressive stages are left out.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.nas.method import Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import Mixture


@dataclass(frozen=True, kw_only=True)
class DrNas(Darts):
    """Dirichlet samples; all candidates are executed."""

    @override
    def recipe(self, space: str) -> Recipe:
        # xiangning-chen/DrNAS, 201-space/train_search.py
        return replace(
            super().recipe(space), epochs=100, nesterov=False, weight_decay=3e-4, alpha_first=True
        )

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        from archwright.lowering import Mixture
        from archwright.nas.parameters.noise import dirichlet

        return Mixture.from_weights(dirichlet(_concentration(logits)))

    @override
    def candidate_weights(self, logits: "Tensor") -> "Tensor":
        concentration = _concentration(logits)
        return concentration / concentration.sum(dim=-1, keepdim=True)


def _concentration(logits: "Tensor") -> "Tensor":
    """Return elu(alpha) + 1, and 0 for padding."""
    import torch
    from torch.nn import functional

    present = ~logits.isinf()
    return torch.where(present, functional.elu(torch.where(present, logits, 0.0)) + 1.0, 0.0)
