"""Mixtures: the weights of each decision's candidates, which a relaxation gives to a supernet.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from archwright.graph import Decision

_FLOOR = -1e4
"""Log-weight of a candidate without mass: finite, so that a softmax over several is defined."""


@dataclass(frozen=True)
class Mixture:
    """Weights [E, O] and log-weights [E, O] over the candidates, after noise or sampling.

    The weights mix at the top of an edge; inside a group S of candidates that share a module,
    the conditional weights p_i|S are the softmax of the log-weights over S (TopoNAS, eq. 7), never
    a division by p_S, which may vanish.

    `hard` mixtures are one-hot in value, inside every group too, with the gradient of the soft
    distribution (straight through). With a `sample`, the index of one candidate a decision (-1: no
    candidate), only the sampled candidate is executed, with its weight at the end of the edge; the
    weights of the others are added there as scalars of value zero, which carry their gradient
    (Dong and Yang, GDAS, CVPR 2019). Conditional weights are then not used.

    `edge_weights` [E] multiplies the whole output of a decision's edge, channels that bypass its
    candidates included (Xu et al., PC-DARTS, eq. 5). It is applied at the very end of the edge: a
    batch norm that all candidates share would cancel it. None: 1.
    """

    weights: Tensor
    log_weights: Tensor
    hard: bool = False
    sample: tuple[int, ...] | None = None
    edge_weights: Tensor | None = None

    @classmethod
    def from_logits(cls, logits: Tensor) -> "Mixture":
        """Return the softmax of logits [E, O]; padding is -inf."""
        log_weights = torch.log_softmax(logits, dim=-1)
        return cls(log_weights.exp(), log_weights.clamp(min=_FLOOR))

    @classmethod
    def from_weights(cls, weights: Tensor) -> "Mixture":
        """Return the mixture of given weights [E, O], whose padding is 0."""
        return cls(weights, weights.clamp(min=torch.finfo(weights.dtype).tiny).log())

    @classmethod
    def straight_through(cls, logits: Tensor, *, only_sample: bool) -> "Mixture":
        """Return one-hot weights at the largest of logits [E, O], with the gradient of the softmax.

        `only_sample`: nothing else is executed.
        """
        log_weights = torch.log_softmax(logits, dim=-1)
        soft = log_weights.exp()
        sample = tuple(soft.argmax(dim=-1).tolist()) if only_sample else None
        return cls(_hardened(soft), log_weights.clamp(min=_FLOOR), hard=True, sample=sample)

    @classmethod
    def one_hot(
        cls,
        decisions: Sequence[Decision],
        answers: Mapping[str, str],
        *,
        like: Tensor,
        only_sample: bool = False,
    ) -> "Mixture":
        """Return all weight on one candidate each; absent decisions have no weight.

        `like` gives device and type; `only_sample`: other candidates are not executed.
        """
        width = max(len(decision.candidates) for decision in decisions)
        weights = torch.zeros(len(decisions), width, dtype=like.dtype, device=like.device)
        sample: list[int] = []
        for row, decision in enumerate(decisions):
            given = decision.name in answers
            sample.append(decision.candidates.index(answers[decision.name]) if given else -1)
            if given:
                weights[row, sample[-1]] = 1.0
        log_weights = (1.0 - weights) * _FLOOR
        return cls(weights, log_weights, sample=tuple(sample) if only_sample else None)

    def times(self, factors: Tensor) -> "Mixture":
        """Return the mixture with the edge of each decision multiplied by its factor of [E]."""
        edge_weights = factors if self.edge_weights is None else self.edge_weights * factors
        return replace(self, edge_weights=edge_weights)

    def conditional(self, rows: int | slice, given: Sequence[int]) -> Tensor:
        """Return p(candidate | given) of some decisions, over the candidates in `given`."""
        soft = self.log_weights[rows][..., list(given)].softmax(dim=-1)
        return _hardened(soft) if self.hard else soft


def _hardened(soft: Tensor) -> Tensor:
    """Return one-hot weights at the largest of the last dimension, with the gradient of `soft`."""
    one_hot = torch.zeros_like(soft).scatter_(-1, soft.argmax(dim=-1, keepdim=True), 1.0)
    return one_hot + (soft - soft.detach())


def logits_table(decisions: Sequence[Decision]) -> Tensor:
    """Return zeros [E, O] where there is a candidate, -inf where a smaller decision is padded."""
    width = max(len(decision.candidates) for decision in decisions)
    table = torch.full((len(decisions), width), -torch.inf)
    for row, decision in enumerate(decisions):
        table[row, : len(decision.candidates)] = 0.0
    return table
