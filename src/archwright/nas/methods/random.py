"""Random baselines, with which every method must be compared.

`random` draws one architecture, and trains nothing. `random-ws` is random search with weight
sharing (Li and Talwalkar, UAI 2019): a supernet is trained on a new random path in each step; then
many architectures are drawn, and the best one with the supernet's weights is returned.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from archwright.engine.options import require_positive
from archwright.nas.method import Progress, option
from archwright.nas.methods.darts import Darts
from archwright.nas.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import Mixture


@dataclass(frozen=True, kw_only=True)
class Random(Darts):
    """One architecture, drawn uniformly from the connected ones."""

    trains: ClassVar[bool] = False
    learns: ClassVar[bool] = False

    @property
    @override
    def num_samples(self) -> int:
        return 1


@dataclass(frozen=True, kw_only=True)
class RandomWithSharing(Darts):
    """Random search with weight sharing: uniform paths, then the best of a sample."""

    learns: ClassVar[bool] = False

    samples: int = option(100, require_positive)
    """Number of architectures that are drawn and compared."""

    @override
    def recipe(self, space: str) -> Recipe:
        # D-X-Y/AutoDL-Projects, configs/nas-benchmark/algos
        return replace(super().recipe(space), epochs=250)

    @property
    @override
    def num_samples(self) -> int:
        return self.samples

    @override
    def mixture(self, logits: "Tensor", progress: Progress) -> "Mixture":
        import torch

        from archwright.lowering import Mixture
        from archwright.nas.parameters.noise import gumbel

        uniform = torch.where(logits.isinf(), logits, 0.0).detach()
        return Mixture.straight_through(uniform + gumbel(uniform), only_sample=True)
