"""What a relaxation hands to a supernet: how much each candidate of each decision weighs.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archwright.ir import Decision

_FLOOR = -1e4
"""Log-weight of what has no mass: finite, so that a softmax over such candidates is defined."""


@dataclass(frozen=True)
class Mixture:
    """Weights [E, O] and log-weights [E, O] over the candidates, after noise or sampling.

    The weights mix at the top of an edge; inside a group S of candidates that share a module,
    the conditional weights p_i|S are the softmax of the log-weights over S (TopoNAS, eq. 7), never
    a division by p_S, which may vanish.
    """

    weights: Tensor
    log_weights: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> "Mixture":
        """The softmax of logits [E, O]; padding is -inf."""
        log_weights = torch.log_softmax(logits, dim=-1)
        return cls(log_weights.exp(), log_weights.clamp(min=_FLOOR))

    @classmethod
    def one_hot(
        cls, decisions: Sequence[Decision], answers: Mapping[str, str], *, like: Tensor
    ) -> "Mixture":
        """All weight on one candidate each; decisions without an answer get none at all.

        `like` gives device and type.
        """
        width = max(len(decision.candidates) for decision in decisions)
        weights = torch.zeros(len(decisions), width, dtype=like.dtype, device=like.device)
        for row, decision in enumerate(decisions):
            if decision.name in answers:
                weights[row, decision.candidates.index(answers[decision.name])] = 1.0
        return cls(weights, (1.0 - weights) * _FLOOR)


def logits_table(decisions: Sequence[Decision]) -> Tensor:
    """Zeros [E, O] where there is a candidate, -inf where a smaller decision is padded."""
    width = max(len(decision.candidates) for decision in decisions)
    table = torch.full((len(decisions), width), -torch.inf)
    for row, decision in enumerate(decisions):
        table[row, : len(decision.candidates)] = 0.0
    return table
