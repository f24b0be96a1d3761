"""Cost models of a space at one size: exact for an architecture, expected for a supernet.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor
from typing_extensions import override

from archwright.cost.expected.additive import AdditiveCost, fit
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.minimum import min_cost_architecture, near_minimum
from archwright.graph import Architecture, Network
from archwright.spaces.discretise import random_architecture

_SAMPLES = 200
"""Number of random architectures with exact costs to which a surrogate is fitted."""


@dataclass(frozen=True, kw_only=True)
class CostModel(ABC):
    """Cost of the networks of a space at one size.

    Attributes:
        name: name of the cost in results, with its unit: `latency_ms`.
        layout: space, size, and the decisions of the rows of weights [E, O].
    """

    name: str
    layout: DecisionTable

    @abstractmethod
    def of(self, architecture: Architecture) -> float:
        """Return the cost of an architecture; infinite if it is not known.

        Raises:
            GenotypeError: it does not belong to the space at this size.
        """

    def bound(self, architecture: Architecture) -> float:
        """Return the value that is compared with a budget: the cost, or the upper bound of a
        predicted cost.

        Raises:
            GenotypeError: as `of`.
        """
        return self.of(architecture)

    def bounds(self, architectures: Sequence[Architecture]) -> list[float]:
        """Return the bound of each architecture."""
        return [self.bound(one) for one in architectures]

    def floor(self) -> float:
        """Return a lower bound for all networks of the space, computed without any of them."""
        return 0.0

    @property
    def slow(self) -> bool:
        """True if thousands of bounds take minutes."""
        return False

    @property
    def vectorised(self) -> bool:
        """True if thousands of bounds take seconds."""
        return False

    @cached_property
    def surrogate(self) -> AdditiveCost:
        """Differentiable additive approximation of `of`; equal to it for additive costs."""
        return self._approximated()

    @abstractmethod
    def _approximated(self) -> AdditiveCost:
        """Return the approximation for `surrogate`, which caches it."""

    def expected(self, weights: Tensor) -> Tensor:
        """Return the expected cost [...] under weights [..., E, O] of the candidates of a supernet.

        The weights of an edge that may be left out have a sum below 1.
        """
        return self.surrogate(weights)

    def least(self) -> tuple[float, Architecture]:
        """Return the smallest bound of a network whose logits depend on the image, and the network.

        For costs that are not additive, it is the smallest that exchanges of one candidate reach
        from the cheapest architecture by the surrogate.
        """
        return near_minimum(
            self.layout, min_cost_architecture(self.layout, self.surrogate.table), self.bound
        )


@dataclass(frozen=True, kw_only=True)
class AdditiveCostModel(CostModel):
    """Cost that is the sum over the parts of a network."""

    parts: AdditiveCost

    @override
    def _approximated(self) -> AdditiveCost:
        return self.parts

    @property
    def adds_up(self) -> bool:
        """Whether it is the sum over all picked edges, also dead ones."""
        return self.parts.counted == "picked"

    @override
    def of(self, architecture: Architecture) -> float:
        return self.parts.of(architecture)

    @override
    def bounds(self, architectures: Sequence[Architecture]) -> list[float]:
        return self.parts(self.layout.one_hots(architectures)).tolist() if architectures else []

    @property
    @override
    def vectorised(self) -> bool:
        return True

    @override
    def least(self) -> tuple[float, Architecture]:
        if not self.adds_up:
            return super().least()
        found = min_cost_architecture(self.layout, self.parts.table)
        return self.of(found), found


@dataclass(frozen=True, kw_only=True)
class GraphCostModel(CostModel):
    """Cost that is computed from the graph of a whole network.

    Attributes:
        exact: function that computes it.
        parts: additive approximation with its minimum at the minimum of `exact`; if None, one is
            fitted to random architectures.
        fixed: function that computes a lower bound for all networks from the network with every
            decision open.
    """

    exact: Callable[[Network], float]
    parts: AdditiveCost | None = None
    fixed: Callable[[Network], float] | None = None

    @override
    def floor(self) -> float:
        return 0.0 if self.fixed is None else self.fixed(self.layout.network)

    @property
    @override
    def slow(self) -> bool:
        return True

    @override
    def _approximated(self) -> AdditiveCost:
        if self.parts is not None:
            return self.parts
        generator = np.random.default_rng(0)
        space, size = self.layout.space, self.layout.size
        drawn = [random_architecture(space, size, generator) for _ in range(_SAMPLES)]
        return fit(self.layout, drawn, [self.of(one) for one in drawn])

    @override
    def least(self) -> tuple[float, Architecture]:
        if self.parts is None:
            return super().least()
        found = min_cost_architecture(self.layout, self.parts.table)
        return self.of(found), found

    @override
    def of(self, architecture: Architecture) -> float:
        if architecture not in self._known:
            network = self.layout.space.discrete(architecture, self.layout.size)
            self._known[architecture] = self.exact(network)
        return self._known[architecture]

    @cached_property
    def _known(self) -> dict[Architecture, float]:
        """Costs so far: several derivations go through the same space."""
        return {}
