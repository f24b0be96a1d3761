"""Message passing over the graph of a space: every edge hears of those around it.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded), D width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.learned.encoding import Encoding


class GraphEncoder(nn.Module):
    """From the weights of candidates to an embedding of each of them in its surroundings.

    An edge's state begins as the weighted mean of what its candidates are, next to how far it is
    live. In each round it takes in the mean states of the edges that feed it, of those that it
    feeds, and of its siblings, each heard as far as it lets something through. Cells that follow
    each other in the network are joined as the edges inside them are.
    """

    _local: Tensor
    _global: Tensor
    _present: Tensor
    _around: Tensor

    def __init__(self, encoding: Encoding, *, width: int = 32, rounds: int = 2) -> None:
        """An encoder of this graph; its weights are drawn as torch does."""
        super().__init__()
        self.width = width
        self._layout: DecisionTable = encoding.layout
        around = torch.stack([encoding.upstream, encoding.downstream, encoding.siblings])
        for name, value in {
            "_local": encoding.candidates,
            "_global": encoding.edges,
            "_present": encoding.layout.present,
            "_around": around,
        }.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)
        features, places = self._local.shape[-1], self._global.shape[-1]
        self.candidate = nn.Sequential(nn.Linear(features + places, width), nn.SiLU())
        self.edge = nn.Linear(2 * width + 1, width)
        self.rounds = nn.ModuleList(
            nn.Sequential(nn.Linear(4 * width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(rounds)
        )
        self.out = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width, bias=False)
        )

    @override
    def forward(self, weights: Tensor | None = None) -> Tensor:
        """Embeddings [..., E, O, D] under weights [..., E, O]; without any, all weigh alike.

        Those of padding are zeros. Differentiable in the weights.
        """
        weights = self._weights(weights)
        own = self._candidates()
        state = self._states(own, weights)[..., None, :].expand(*weights.shape, -1)
        both = torch.cat([own.expand_as(state), state], dim=-1)
        return self.out(both) * self._present[..., None]

    def states(self, weights: Tensor) -> Tensor:
        """The states of edges [..., E, D] after the last round, under weights [..., E, O]."""
        return self._states(self._candidates(), self._weights(weights))

    def _weights(self, weights: Tensor | None) -> Tensor:
        if weights is None:
            return self._present / self._present.sum(dim=-1, keepdim=True)
        return weights.to(self._present)

    def _candidates(self) -> Tensor:
        """What each candidate is, where it stands [E, O, D]."""
        place = self._global[:, None].expand(*self._local.shape[:2], -1)
        return self.candidate(torch.cat([self._local, place], dim=-1))

    def _states(self, own: Tensor, weights: Tensor) -> Tensor:
        live = self._layout.live(weights)
        open_ = live.sum(dim=-1, keepdim=True)
        mean = torch.einsum("...eo,eod->...ed", weights * self._present, own)
        used = torch.einsum("...eo,eod->...ed", live, own)
        state = self.edge(torch.cat([mean, used, open_], dim=-1))
        for update in self.rounds:
            messages = torch.einsum("kef,...fd->...ekd", self._around, state * open_).flatten(-2)
            state = state + cast(Tensor, update(torch.cat([state, messages], dim=-1)))
        return state
