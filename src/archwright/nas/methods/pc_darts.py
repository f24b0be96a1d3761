"""PC-DARTS (Xu et al., ICLR 2020): only a part of the channels is searched.

The first C/K channels of an edge go through its candidates, the others bypass them (eq. 4); the
edges into a node are weighted by a learned softmax (edge normalisation, eq. 5), and candidates are
ranked by the product of both weights. The weights of the supernet are trained alone first.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from typing_extensions import override

from archwright.engine.options import require_positive
from archwright.nas.method import option
from archwright.nas.methods.darts import Darts
from archwright.nas.recipe import Recipe

if TYPE_CHECKING:
    from archwright.graph import Network
    from archwright.nas.parameters.alpha import Alpha


@dataclass(frozen=True, kw_only=True)
class PcDarts(Darts):
    """Softmax mixture with channel sampling and edge normalisation."""

    partial: int = option(4, require_positive)
    """Number K: one K-th of the channels goes through the candidates."""
    edge_normalisation: bool = True
    """Learn weights of the edges into a node (edge normalisation)."""

    @override
    def recipe(self, space: str) -> Recipe:
        # yuhuixu1993/PC-DARTS, train_search.py
        return replace(
            super().recipe(space),
            batch_size=256,
            lr=0.1,
            lr_min=0.0,
            nesterov=False,
            weight_decay=3e-4,
            alpha_lr=6e-4,
            alpha_start=15,
            alpha_first=True,
        )

    @override
    def supernet(self, network: "Network") -> "Network":
        from archwright.graph.passes.partial_channels import ChannelSampling

        return ChannelSampling(self.partial)(network).network

    @override
    def alpha(self, network: "Network", deviation: float) -> "Alpha":
        from archwright.nas.parameters.alpha import Alpha

        return Alpha(network, deviation=deviation, edges=self.edge_normalisation)
