"""Selection of the architecture, and Pareto fronts: finalists compared by the supernet's weights.

Alpha ranks architectures by a sum over their edges. The top-ranked ones are compared as whole
networks: by the one-shot loss of each with the supernet's weights, on alpha's images.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

from typing_extensions import override

from archwright import data
from archwright.engine.scoring.meter import Meter
from archwright.graph import Architecture
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.budget.budget import costs_to_json
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.budget.regularity import Regularity
from archwright.nas.derive.oneshot import mixture_meter, one_hot_mixture
from archwright.nas.method import Method
from archwright.nas.monitor.collapse import without_side_effects
from archwright.nas.monitor.statistics import Weights
from archwright.spaces import write_architecture
from archwright.tasks import Batch

_FIRST, _LAST = 4, 64
"""Number of batches in the first round, with all finalists, and the largest in later rounds."""
_REGULAR = 32
"""Default number of finalists where regularity has a weight."""


@dataclass(frozen=True, kw_only=True)
class ParetoPoint:
    """Architecture of a Pareto front.

    `limit` is the budget that it was derived for, on the `cost` of that name; `costs` are its own,
    `accuracy` is the task's metric on alpha's images with the weights of the supernet.
    """

    cost: str
    limit: float
    architecture: Architecture
    costs: dict[str, float]
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """Return the point for JSON."""
        text = write_architecture(self.architecture)
        costs = costs_to_json(self.costs)
        asked = {"cost": self.cost, "limit": self.limit}
        return {"architecture": text, **asked, "costs": costs, "accuracy": self.accuracy}


class ArchitectureEvaluator(ABC):
    """Comparison of architectures as whole networks."""

    def __init__(
        self, constraints: SearchConstraints, method: Method, *, finalists: int | None
    ) -> None:
        """Build an evaluator; `finalists` None: the default of constraints and method."""
        self._method = method
        self._regularity, self._irregular = constraints.regularity, Regularity(constraints.table)
        asked = finalists is not None or not constraints.regularity
        self._finalists = finalists if asked else _REGULAR

    @abstractmethod
    def mean(self, architecture: Architecture, count: int) -> tuple[float, float]:
        """Return loss and the task's metric of an architecture on the first `count` batches."""

    def select(self, constraints: SearchConstraints, weights: Weights) -> Architecture:
        """Select the best feasible architecture among the top-ranked ones."""
        count = self._finalists
        if count is None:
            count = self._method.finalists if constraints.argmax_infeasible(weights) else 1
        return self.successive_halving(constraints.top(weights, count))

    def successive_halving(
        self, architectures: Sequence[Architecture], count: int = _FIRST
    ) -> Architecture:
        """Return the architecture of the smallest loss.

        Each round keeps the better half, which the next one compares on twice as many batches.
        """
        left = list(dict.fromkeys(architectures))
        while len(left) > 1:
            losses = {one: self._ranked(one, count) for one in left}
            left = sorted(left, key=lambda one: losses[one])[: max(1, len(left) // 2)]
            count = min(2 * count, _LAST)
        return left[0]

    def accuracy(self, architecture: Architecture) -> float:
        """Return the task's metric on the largest number of batches in use."""
        return self.mean(architecture, _LAST)[1]

    def _ranked(self, architecture: Architecture, count: int) -> float:
        """Return the loss plus the weighted irregularity; the smallest is the best."""
        irregular = self._regularity and self._irregular.of(architecture)
        return self.mean(architecture, count)[0] + self._regularity * irregular

    def pareto_front(
        self, constraints: SearchConstraints, weights: Weights, count: int
    ) -> list[ParetoPoint]:
        """Derive `count` architectures, at budgets from the smallest possible to the largest.

        With `finalists`, the winner of a smaller budget is a finalist of the next one, too. Limits
        that are infeasible together with the other budgets are left out.
        """
        points: list[ParetoPoint] = []
        for limit, within in constraints.epsilon_constraints(count):
            if not within.is_feasible:
                continue
            chosen = self.select(within, weights)
            if points and self._finalists not in (None, 1):
                chosen = self.successive_halving([points[-1].architecture, chosen], count=_LAST)
            costs = within.costs(chosen)
            assert costs is not None, "a front has a cost"
            assert constraints.front is not None, "limits are along it"
            points.append(
                ParetoPoint(
                    cost=constraints.front.name,
                    limit=limit,
                    architecture=chosen,
                    costs=costs,
                    accuracy=round(self.accuracy(chosen), 4),
                )
            )
        return points


class OneShotEvaluator(ArchitectureEvaluator):
    """Comparison by the weights of one supernet; losses are cached by architecture."""

    def __init__(
        self,
        bilevel: Bilevel,
        batches: data.Batches,
        constraints: SearchConstraints,
        *,
        finalists: int | None,
    ) -> None:
        """Build an evaluator on `batches` of alpha's images."""
        super().__init__(constraints, bilevel.method, finalists=finalists)
        self._bilevel = bilevel
        self._source, self._held = batches, list[Batch]()
        self._seen: dict[Architecture, list[Meter]] = {}

    @override
    def mean(self, architecture: Architecture, count: int) -> tuple[float, float]:
        if len(self._held) < min(count, len(self._source)):  # a small set has no more of them
            self._held = list(islice(self._source.epoch(0), count))
        seen = self._seen.setdefault(architecture, [])
        network, fabric, task = self._bilevel.network, self._bilevel.fabric, self._bilevel.task
        if len(seen) < min(count, len(self._held)):
            mixture = one_hot_mixture(network, architecture)
            with without_side_effects(self._bilevel):
                for batch in self._held[len(seen) : count]:
                    seen.append(mixture_meter(fabric, task, network, mixture, [batch]))
        total = Meter(fabric, task)
        for meter in seen[:count]:
            total.merge(meter)
        losses = [math.inf if meter.loss is None else meter.loss for meter in seen[:count]]
        score = total.score
        assert score is not None, "there is at least one batch"
        return sum(losses) / len(losses), score


class EnsembleEvaluator(ArchitectureEvaluator):
    """Comparison by the mean loss over several supernets."""

    def __init__(
        self,
        members: Sequence[ArchitectureEvaluator],
        constraints: SearchConstraints,
        *,
        finalists: int | None,
    ) -> None:
        super().__init__(constraints, members[0]._method, finalists=finalists)
        self._members = tuple(members)

    @override
    def mean(self, architecture: Architecture, count: int) -> tuple[float, float]:
        losses, hits = zip(*(one.mean(architecture, count) for one in self._members), strict=True)
        return fmean(losses), fmean(hits)
