"""A cost of a space's networks at one size: exact for an architecture, expected for a supernet.

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
"""Random architectures whose exact costs a surrogate is fitted to."""


@dataclass(frozen=True, kw_only=True)
class CostModel(ABC):
    """What networks of a space cost at one size.

    Attributes:
        name: the cost as results call it, its unit in it: `latency_ms`.
        layout: space, size, and the decisions that the rows of weights [E, O] stand for.
    """

    name: str
    layout: DecisionTable

    @abstractmethod
    def of(self, architecture: Architecture) -> float:
        """The cost of an architecture; infinite if it is not known.

        Raises:
            GenotypeError: it does not belong to the space at this size.
        """

    def bound(self, architecture: Architecture) -> float:
        """What a budget is held against: the cost, or where it is predicted, what it will hardly
        exceed.

        Raises:
            GenotypeError: as `of`.
        """
        return self.of(architecture)

    def bounds(self, architectures: Sequence[Architecture]) -> list[float]:
        """The bound of each."""
        return [self.bound(one) for one in architectures]

    def floor(self) -> float:
        """What no network of the space is below, known without looking at one."""
        return 0.0

    @property
    def slow(self) -> bool:
        """Whether thousands of bounds are a matter of minutes."""
        return False

    @property
    def vectorised(self) -> bool:
        """Whether thousands of bounds are a matter of seconds."""
        return False

    @cached_property
    def surrogate(self) -> AdditiveCost:
        """The differentiable cost that comes nearest to `of`; equal to it where costs add up."""
        return self._approximated()

    @abstractmethod
    def _approximated(self) -> AdditiveCost:
        """See `surrogate`, which keeps it."""

    def expected(self, weights: Tensor) -> Tensor:
        """The cost [...] expected under weights [..., E, O] of a supernet's candidates.

        An edge that may be left out weighs less than 1 in all.
        """
        return self.surrogate(weights)

    def least(self) -> tuple[float, Architecture]:
        """The smallest bound of a network whose logits depend on the image, and the network.

        Where costs do not add up it is the smallest found by exchanging one candidate at a time,
        from the cheapest by the surrogate on.
        """
        return near_minimum(
            self.layout, min_cost_architecture(self.layout, self.surrogate.table), self.bound
        )


@dataclass(frozen=True, kw_only=True)
class AdditiveCostModel(CostModel):
    """A cost that adds up over the parts of a network."""

    parts: AdditiveCost

    @override
    def _approximated(self) -> AdditiveCost:
        return self.parts

    @property
    def adds_up(self) -> bool:
        """Whether it is the sum over all that is picked, dead or not."""
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
    """A cost read off a whole network.

    Attributes:
        exact: reads it.
        parts: a sum over the network that comes near, and is least where `exact` is (else one is
            fitted to random architectures).
        fixed: what no network is below, read off the network with every decision open.
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
        """What was read already: several derivations go through the same space."""
        return {}
