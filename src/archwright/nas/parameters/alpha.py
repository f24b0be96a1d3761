"""Alpha: the architecture parameters of a search, as a module.

Legend: E decisions, O candidates of the largest decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.graph import Cell, Decision, Network, choices
from archwright.lowering import logits_table
from archwright.nas.method import Method


@dataclass(frozen=True)
class Logits:
    """Logits of the candidates [E, O], -inf where padded, and weights of edges.

    `edge_weights` [E] is the weight of each decision's edge among those that end in the same node;
    None: edges have none.
    """

    candidates: Tensor
    edge_weights: Tensor | None = None

    def detach(self) -> "Logits":
        """Return the same values without gradients."""
        edge_weights = None if self.edge_weights is None else self.edge_weights.detach()
        return Logits(self.candidates.detach(), edge_weights)


class Alpha(nn.Module):
    """Architecture parameters: a logit for each candidate and, with `edges`, one for each edge.

    The edges that end in one node share its mass by a softmax (Xu et al., PC-DARTS, ICLR 2020,
    eq. 5).
    """

    _padding: Tensor
    _nodes: Tensor
    _gone: Tensor

    def __init__(self, network: Network, *, deviation: float, edges: bool = False) -> None:
        super().__init__()
        self._describe(network)
        shape = self._padding.shape
        self.candidates = nn.Parameter(torch.empty(shape))
        self.edges = nn.Parameter(torch.empty(shape[0])) if edges else None
        self.reset_parameters(deviation)

    def _describe(self, network: Network) -> None:
        """Register buffers that describe `network`; they are not saved."""
        table = logits_table(network.decisions())
        self.register_buffer("_padding", table, persistent=False)
        nodes = torch.tensor(target_nodes(network))
        self.register_buffer("_nodes", nodes, persistent=False)
        gone = torch.zeros(len(table), dtype=torch.bool)
        self.register_buffer("_gone", gone, persistent=False)

    @torch.no_grad()
    def reset_parameters(self, deviation: float) -> None:
        """Draw new logits of this standard deviation."""
        present = ~self._padding.isinf()
        self.candidates.copy_(deviation * torch.randn(present.shape) * present)
        if self.edges is not None:
            self.edges.copy_(deviation * torch.randn(len(present)))

    @override
    def forward(self) -> Logits:
        candidates = self.candidates + self._padding
        return Logits(candidates, None if self.edges is None else self._edge_weights(self.edges))

    def groups(self, lr: float) -> list[dict[str, Any]]:
        """Return the parameter groups of an optimiser, each with its learning rate."""
        return [{"params": list(self.parameters()), "lr": lr}]

    @torch.no_grad()
    def keep(self, left: Tensor) -> None:
        """Give weight only to the remaining candidates, `left` [E, O], from now on.

        The edge of a decision without any remaining candidate no longer takes part in the softmax
        over the edges of its node.
        """
        left = left.to(self._padding.device)
        some = left.any(dim=1)
        self._padding.masked_fill_(~left & some[:, None], -torch.inf)
        self._gone.copy_(~some)

    def _edge_weights(self, logits: Tensor) -> Tensor:
        siblings = self._nodes[:, None] == self._nodes[None, :]  # [E, E]
        there = siblings & ~self._gone[None, :]
        table = torch.where(there | self._gone[:, None], logits[None, :], -torch.inf)
        return torch.where(self._gone, 0.0, (logits - table.logsumexp(dim=1)).exp())


def target_nodes(network: Network) -> tuple[int, ...]:
    """Return a number for each decision, equal where their edges end in the same node.

    A decision outside of cells has a number of its own.
    """
    nodes: dict[str, tuple[object, ...]] = {}
    for step in network.steps:
        if isinstance(step.body, Cell):
            for edge in step.body.edges:
                for choice in choices(edge.body):
                    nodes[choice.decision.name] = (step.body.kind, edge.target)
    places = [nodes.get(decision.name, (decision.name,)) for decision in network.decisions()]
    numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
    return tuple(numbers[place] for place in places)


@torch.no_grad()
def weights_by_decision(
    method: Method, logits: Logits, decisions: Sequence[Decision]
) -> dict[str, list[float]]:
    """Return the expected weights, a list for each decision in its candidates' order.

    They are computed in float64, so that no ties come from rounding.
    """
    edge_weights = None if logits.edge_weights is None else logits.edge_weights.double()
    rows = method.expected_weights(Logits(logits.candidates.double(), edge_weights)).cpu()
    return {
        decision.name: rows[row, : len(decision.candidates)].tolist()
        for row, decision in enumerate(decisions)
    }
