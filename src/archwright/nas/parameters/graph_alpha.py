"""Alpha of a weighted graph: a logit for each connection, and one for each operation on it.

Legend: E decisions, O candidates of the largest decision.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from archwright.graph import Network
from archwright.nas.parameters.alpha import Alpha, Logits
from archwright.nas.parameters.none_op import null_candidates


class GraphAlpha(Alpha):
    """Connections and operations apart; forward gives log-probabilities.

    The null candidate is factored out: with a connection's logit c_e and operation logits a_e,
        p_e(null) = 1 - sigmoid(c_e),   p_e(o) = sigmoid(c_e) softmax(a_e)_o over the others,
    so that an operation's weight among its rivals does not move when the connection's does. At the
    start p is one softmax over all candidates of equally distributed logits. Where no candidate is
    null, a node's connections share its mass by a softmax over c.
    """

    _null: Tensor

    def __init__(self, network: Network, *, deviation: float) -> None:
        super().__init__(network, deviation=deviation, edges=True)

    @override
    def _describe(self, network: Network) -> None:
        super()._describe(network)
        null = torch.zeros_like(self._padding, dtype=torch.bool)
        for row, indices in enumerate(null_candidates(network)):
            if len(indices) < len(network.decisions()[row].candidates):
                null[row, list(indices)] = True
        self.register_buffer("_null", null, persistent=False)

    @override
    @torch.no_grad()
    def reset_parameters(self, deviation: float) -> None:
        super().reset_parameters(deviation)
        # the odds of one softmax over all candidates, so that noise alone favours none of them
        logits, null = self.candidates + self._padding, self._null
        odds = logits.masked_fill(null, -math.inf).logsumexp(dim=1)
        odds = odds - logits.masked_fill(~null, -math.inf).logsumexp(dim=1)
        assert self.edges is not None, "made with edges"
        self.edges.copy_(torch.where(null.any(dim=1), odds, self.edges))

    @override
    def forward(self) -> Logits:
        return self.distribution(*self.raw())

    def raw(self) -> tuple[Tensor, Tensor]:
        """The logits of connections [E] and of operations [E, O] before they are normalised."""
        assert self.edges is not None, "made with edges"
        return self.edges, self.candidates

    def distribution(self, connections: Tensor, operations: Tensor) -> Logits:
        """The log-probabilities that logits of connections [E] and operations [E, O] give."""
        left = ~self._padding.isinf()
        others, null = left & ~self._null, left & self._null
        some, count = others.any(dim=1, keepdim=True), null.sum(dim=1, keepdim=True)
        # where nothing else is left, any finite numbers do: none of them is used
        log_q = operations.masked_fill(some & ~others, -math.inf).log_softmax(dim=-1)
        there = functional.logsigmoid(connections)[..., None]
        gone = torch.where(some, functional.logsigmoid(-connections)[..., None], 0.0)
        log_p = torch.where(count > 0, log_q + there, log_q)
        log_p = torch.where(others, log_p, -math.inf)
        log_p = torch.where(null, gone - count.clamp(min=1).log(), log_p)
        return Logits(log_p, self._shares(connections))

    def _shares(self, connections: Tensor) -> Tensor | None:
        """What each connection weighs where none of its node's has a null candidate, else 1."""
        siblings = self._nodes[:, None] == self._nodes[None, :]
        nullable = (siblings & self._null.any(dim=1)[None, :]).any(dim=1)
        if nullable.all():
            return None
        return torch.where(nullable, 1.0, self._edge_weights(connections))
