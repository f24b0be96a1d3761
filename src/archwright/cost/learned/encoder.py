"""Graph encoder: message passing between the edges of a space.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded), D width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.learned.encoding import Encoding


class GraphEncoder(nn.Module):
    """Encoder: weights of candidates -> embedding of each candidate in its context.

    The first state of an edge is the weighted mean of the features of its candidates, with the
    weight with which it is live. Each round adds the mean states of the edges that feed it, of the
    edges that it feeds, and of its siblings, each times the weight with which it is live.
    Successive cells of the network are connected like the edges inside them.
    """

    _local: Tensor
    _global: Tensor
    _present: Tensor
    _around: Tensor

    def __init__(self, encoding: Encoding, *, width: int = 32, rounds: int = 2) -> None:
        """Build an encoder of this graph, with the random initialisation of torch."""
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
        """Return embeddings [..., E, O, D] under weights [..., E, O], by default uniform weights.

        The embeddings of padding are zeros. The function is differentiable in the weights.
        """
        weights = self._weights(weights)
        own = self._candidates()
        state = self._states(own, weights)[..., None, :].expand(*weights.shape, -1)
        both = torch.cat([own.expand_as(state), state], dim=-1)
        return self.out(both) * self._present[..., None]

    def states(self, weights: Tensor) -> Tensor:
        """Return the states of edges [..., E, D] after the last round for weights [..., E, O]."""
        return self._states(self._candidates(), self._weights(weights))

    def _weights(self, weights: Tensor | None) -> Tensor:
        if weights is None:
            return self._present / self._present.sum(dim=-1, keepdim=True)
        return weights.to(self._present)

    def _candidates(self) -> Tensor:
        """Return the hidden features of each candidate on its edge [E, O, D]."""
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
