"""Alpha conditioned by the graph: each edge's own logits plus the output of a graph encoder.

Legend: E decisions, O candidates of the largest decision, D width of an embedding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.cost.learned.encoder import GraphEncoder
from archwright.cost.learned.encoding import Encoding
from archwright.graph import Network
from archwright.nas.parameters.alpha import Alpha
from archwright.nas.parameters.graph_alpha import GraphAlpha

_WIDTH, _ROUNDS = 16, 2
"""Width and rounds of the encoder: a few thousand weights, negligible beside a supernet."""


class EncodedAlpha(GraphAlpha):
    """Logits of connections and operations, each plus the output of an encoder of the whole graph.

    The encoder reads every candidate and its place (see `archwright.cost.learned.encoding`),
    weighted by the current probabilities, so that similar edges learn from each other. Both
    read-outs start at zero: at first the encoder adds nothing.
    """

    _order: Tensor

    def __init__(self, network: Network, encoding: Encoding, *, deviation: float) -> None:
        """Build alpha of `network`; `encoding` may have its decisions in another order."""
        super().__init__(network, deviation=deviation)
        order = torch.tensor([encoding.layout.row[one.name] for one in network.decisions()])
        self.register_buffer("_order", order, persistent=False)
        self.encoder = GraphEncoder(encoding, width=_WIDTH, rounds=_ROUNDS)
        self.operation = nn.Linear(_WIDTH, 1, bias=False)
        self.connection = nn.Linear(_WIDTH, 1, bias=False)
        nn.init.zeros_(self.operation.weight)
        nn.init.zeros_(self.connection.weight)

    @classmethod
    def from_alpha(cls, alpha: Alpha, network: Network, encoding: Encoding) -> "EncodedAlpha":
        """Return the same logits, with an encoder that adds nothing yet."""
        found = cls(network, encoding, deviation=0.0)
        found.load_state_dict(alpha.state_dict(), strict=False)
        return found

    @override
    def groups(self, lr: float) -> list[dict[str, Any]]:
        """Return the parameter groups of an optimiser: the encoder's learning rate is lr / D.

        All of its weights together then change a logit about as much as a step of lr changes a
        logit of its own: Adam's steps do not shrink with the number of weights (Yang et al., Tensor
        Programs V, NeurIPS 2021, table 3).
        """
        learned = (self.encoder, self.operation, self.connection)
        shared = [parameter for part in learned for parameter in part.parameters()]
        own = [self.candidates, self.edges]
        return [{"params": own, "lr": lr}, {"params": shared, "lr": lr / _WIDTH}]

    @override
    def raw(self) -> tuple[Tensor, Tensor]:
        connections, operations = super().raw()
        with torch.no_grad():  # the encoder reads the current weights; no gradient passes
            own = self.distribution(connections, operations)
            weights = own.candidates.exp()
            if own.edge_weights is not None:
                weights = weights * own.edge_weights[:, None]
            to_device = torch.zeros_like(weights)
            to_device[self._order] = weights
        embedded = self.encoder(to_device)[self._order]
        present = (self._padding == 0).to(embedded)[..., None]
        mean = (embedded * present).sum(dim=1) / present.sum(dim=1).clamp(min=1.0)
        return (
            connections + self.connection(mean).squeeze(-1),
            operations + self.operation(embedded).squeeze(-1),
        )
