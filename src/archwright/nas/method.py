"""What a search method is.

A method says how alpha becomes weights, what joins the loss, what is executed and what is learned;
everything else is the one loop's.

Legend: E decisions, O candidates of the largest decision.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from archwright.cost import Encoding
from archwright.graph import Decision, Network
from archwright.lowering import Mixture
from archwright.nas.parameters.alpha import Alpha, Logits
from archwright.nas.recipe import Recipe, Unroll


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    epoch: int
    epochs: int
    progress: float
    """Fraction of all steps that are done, 0 to 1."""

    def between(self, first: float, last: float) -> float:
        """A line from `first` in the first epoch to `last` in the last, constant in each."""
        return first + (last - first) * self.epoch / max(1, self.epochs - 1)


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A way to search; one small file each, found by the registry in `methods`.

    The fields of a method are options: each is a flag of the command line, by its name.
    """

    trains: ClassVar[bool] = True
    """Whether there is a supernet to be trained at all."""
    learns: ClassVar[bool] = True
    """Whether alpha is trained; otherwise architectures are drawn, and the best one wins."""
    finalists: ClassVar[int] = 16
    """Architectures that are compared as wholes where budgets exclude what alpha speaks for."""
    ranks_none: ClassVar[bool] = False
    """Whether the null candidate's weight speaks of its edge, so that it may win by itself."""

    @abstractmethod
    def recipe(self, space: str) -> Recipe:
        """The published settings on a space, which are this method's defaults."""

    @abstractmethod
    def mixture(self, logits: Tensor, moment: Progress) -> Mixture:
        """The weights that logits [E, O] give to the candidates; padding is -inf."""

    def supernet(self, network: Network) -> Network:
        """The network that is searched, made of the space's own.

        Raises:
            ConfigError: the method does not suit the network.
        """
        return network

    def alpha(self, network: Network, deviation: float) -> Alpha:
        """What is learned beside the weights, drawn with this standard deviation."""
        return Alpha(network, deviation=deviation)

    def with_graph_encoding(self, alpha: Alpha, network: Network, encoding: Encoding) -> Alpha:
        """`alpha` of a network, told of the graph that it chooses in."""
        return alpha

    @property
    def progressive_shrinking(self) -> bool:
        """Whether candidates and connections of little weight are dropped on the way."""
        return False

    def strengths(self, logits: Tensor) -> Tensor:
        """Return the expected weight of each candidate [E, O], its edge's own weight left out."""
        return logits.softmax(dim=-1)

    def expected_weights(self, logits: Logits) -> Tensor:
        """Return the expected weight of each candidate [E, O]; architectures are derived by it."""
        rows = self.strengths(logits.candidates)
        return rows if logits.presence is None else rows * logits.presence[:, None]

    def penalty(self, logits: Tensor, moment: Progress) -> Tensor | None:
        """What is added to alpha's loss, a scalar; None: nothing."""
        return None

    @property
    def unrolling(self) -> Unroll | None:
        """How alpha sees that the weights answer to it; None: not at all (first order)."""
        return None

    @property
    def alpha_draws(self) -> int:
        """How many mixtures a step of alpha averages, each on its part of the batch."""
        return 1

    @property
    def drawn(self) -> int:
        """How many architectures are drawn where alpha does not learn."""
        return 0


@torch.no_grad()
def weights_by_decision(
    method: Method, logits: Logits, decisions: Sequence[Decision]
) -> dict[str, list[float]]:
    """Return the expected weights, a list a decision in its candidates' order.

    They are reckoned in float64, so that ties are those of alpha and not of rounding.
    """
    presence = None if logits.presence is None else logits.presence.double()
    rows = method.expected_weights(Logits(logits.candidates.double(), presence)).cpu()
    return {
        decision.name: rows[row, : len(decision.candidates)].tolist()
        for row, decision in enumerate(decisions)
    }
