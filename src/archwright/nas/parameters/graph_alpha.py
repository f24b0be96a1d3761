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
from archwright.nas.parameters.none_op import none_candidates


class GraphAlpha(Alpha):
    """Logits of connections and of operations; forward returns log-probabilities.

    `none` is factored out: with a connection's logit c_e and operation logits a_e,
        p_e(none) = 1 - sigmoid(c_e),   p_e(o) = sigmoid(c_e) softmax(a_e)_o over the others,
    so that the relative weights of operations do not change with the weight of the connection. At
    the start p is one softmax over all candidates of equally distributed logits. Where no candidate
    is `none`, the connections of a node are weighted by a softmax over c.
    """

    _none_op: Tensor

    def __init__(self, network: Network, *, deviation: float) -> None:
        super().__init__(network, deviation=deviation, edges=True)

    @override
    def _describe(self, network: Network) -> None:
        super()._describe(network)
        none_op = torch.zeros_like(self._padding, dtype=torch.bool)
        for row, indices in enumerate(none_candidates(network)):
            if len(indices) < len(network.decisions()[row].candidates):
                none_op[row, list(indices)] = True
        self.register_buffer("_none_op", none_op, persistent=False)

    @override
    @torch.no_grad()
    def reset_parameters(self, deviation: float) -> None:
        super().reset_parameters(deviation)
        # the odds of one softmax over all candidates, so that noise alone favours none of them
        logits, none_op = self.candidates + self._padding, self._none_op
        odds = logits.masked_fill(none_op, -math.inf).logsumexp(dim=1)
        odds = odds - logits.masked_fill(~none_op, -math.inf).logsumexp(dim=1)
        assert self.edges is not None, "made with edges"
        self.edges.copy_(torch.where(none_op.any(dim=1), odds, self.edges))

    @override
    def forward(self) -> Logits:
        return self.distribution(*self.raw())

    def raw(self) -> tuple[Tensor, Tensor]:
        """Return the logits of connections [E] and of operations [E, O], not normalised."""
        assert self.edges is not None, "made with edges"
        return self.edges, self.candidates

    def distribution(self, connections: Tensor, operations: Tensor) -> Logits:
        """Return the log-probabilities of logits of connections [E] and operations [E, O]."""
        left = ~self._padding.isinf()
        others, none_op = left & ~self._none_op, left & self._none_op
        some, count = others.any(dim=1, keepdim=True), none_op.sum(dim=1, keepdim=True)
        # where nothing else is left, any finite numbers do: none of them is used
        log_q = operations.masked_fill(some & ~others, -math.inf).log_softmax(dim=-1)
        there = functional.logsigmoid(connections)[..., None]
        gone = torch.where(some, functional.logsigmoid(-connections)[..., None], 0.0)
        log_p = torch.where(count > 0, log_q + there, log_q)
        log_p = torch.where(others, log_p, -math.inf)
        log_p = torch.where(none_op, gone - count.clamp(min=1).log(), log_p)
        return Logits(log_p, self._shares(connections))

    def _shares(self, connections: Tensor) -> Tensor | None:
        """Return the weight of each connection, 1 where one of its node's can be `none`."""
        siblings = self._nodes[:, None] == self._nodes[None, :]
        nullable = (siblings & self._none_op.any(dim=1)[None, :]).any(dim=1)
        if nullable.all():
            return None
        return torch.where(nullable, 1.0, self._edge_weights(connections))
