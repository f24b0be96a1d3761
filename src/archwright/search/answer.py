"""The answer of a search: the best of its finalists; and whole fronts.

What alpha learned ranks architectures by a sum over their parts. The strongest of them are compared
as wholes: each is trained for a moment by itself, from the supernet's weights (see `trial`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archwright.ir import Architecture
from archwright.runs.progress import Progress
from archwright.search.budget.limits import costs_to_json
from archwright.search.budget.regularity import Regularity
from archwright.search.budget.terms import Terms
from archwright.search.signs import Weights
from archwright.search.trial import Trials
from archwright.spaces import write_architecture

_BOUND = 48
"""Finalists where budgets exclude what alpha speaks for and no number is asked for."""
_FEW = 16
"""Finalists at each point of a front, and where regularity counts, when no number is asked for."""


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """An architecture of a front.

    `limit` is the budget that it was derived for, `costs` what it takes, `accuracy` the percent of
    alpha's images that it gets right at the end of its trial.
    """

    limit: float
    architecture: Architecture
    costs: dict[str, float]
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """The point as JSON has it."""
        text = write_architecture(self.architecture)
        costs = costs_to_json(self.costs)
        rest = {"limit": self.limit, "costs": costs, "accuracy": self.accuracy}
        return {"architecture": text, **rest}


class Judge:
    """Compares architectures of a supernet as wholes."""

    def __init__(self, trials: Trials, terms: Terms, *, finalists: int | None) -> None:
        """`finalists` None: as many as the terms call for."""
        self._trials = trials
        self._regularity, self._irregular = terms.regularity, Regularity(terms.layout)
        self._finalists = finalists

    def choose(self, terms: Terms, weights: Weights, bound: int = _BOUND) -> Architecture:
        """The best within the terms of those that weights speak for.

        `bound`: how many are compared where budgets exclude the strongest, if nothing else is
        asked for.
        """
        count = self._finalists
        if count is None:
            excluded = terms.exclude_strongest(weights)
            count = bound if excluded else _FEW if self._regularity else 1
        return self.best(terms.top(weights, count))

    def best(self, architectures: Sequence[Architecture]) -> Architecture:
        """The one that ends its trial with the least loss; irregularity counts beside it."""
        left = list(dict.fromkeys(architectures))
        if len(left) == 1:
            return left[0]
        ranked: dict[Architecture, float] = {}
        with Progress("finalists", len(left), visible=self._trials.visible) as progress:
            for one in left:
                ranked[one] = self._ranked(one)
                progress.advance()
            progress.note(f"{len(left)} finalists tried")
        return min(left, key=ranked.__getitem__)

    def record(self) -> list[dict[str, Any]]:
        """Every architecture that was tried, and how its trial ended, as the log has it."""
        return [
            {"architecture": write_architecture(one), **score.to_json()}
            for one, score in self._trials.seen.items()
        ]

    def _ranked(self, architecture: Architecture) -> float:
        """What architectures are ranked by, the least first: nats."""
        irregular = self._regularity and self._irregular.of(architecture)
        return self._trials.score(architecture).loss + self._regularity * irregular

    def front(self, terms: Terms, weights: Weights, count: int) -> list[FrontPoint]:
        """So many architectures, at budgets from the least possible to the largest.

        Of finalists, the winner within a smaller budget stands for election within the next, too.
        Limits within which nothing is found beside the other budgets are left out.
        """
        points: list[FrontPoint] = []
        for limit, within in terms.along_front(count):
            if not within.feasible_at_all:
                continue
            chosen = self.choose(within, weights, _FEW)
            if points and self._finalists != 1:
                chosen = self.best([points[-1].architecture, chosen])
            costs = within.costs(chosen)
            assert costs is not None, "a front has a cost"
            reached = round(self._trials.score(chosen).top1, 4)
            points.append(
                FrontPoint(limit=limit, architecture=chosen, costs=costs, accuracy=reached)
            )
        return points
