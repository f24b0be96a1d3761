"""From the weights of a search to the strongest architecture within its budgets.

Legend: E decisions, O candidates of the largest decision, J budgets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archwright.cost.contract import within
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.local_search import local_search
from archwright.cost.expected.minimum import min_cost_architecture
from archwright.cost.expected.model import CostModel
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.discrete_space import ENUMERABLE, Assignments, DiscreteSpace, Table
from archwright.nas.budget.exhaustive_solver import ExhaustiveSolver
from archwright.nas.budget.milp_solver import MilpSolver
from archwright.spaces.discretise import is_connected, random_architecture

_LEAST = 1e-12
"""Strengths are no smaller: logarithms are taken of them."""
_TRIES = 200
"""Architectures drawn at random before one within the budgets is made instead."""


@dataclass(frozen=True)
class Derivation:
    """Derivation within budgets, if there are any, and of what uses the image.

    Without `null` and budgets an edge that may be null is never given up: then null counts as much
    as the weakest candidate beside it. `allowed` narrows the space (see `DiscreteSpace`). An
    architecture that uses all of its budgets scores `budget_use_bonus` nats a decision more than
    one that uses nothing.
    """

    layout: DecisionTable
    budgets: tuple[Budget, ...]
    null: bool
    allowed: Mapping[str, Sequence[str]] | None = None
    budget_use_bonus: float = 0.0

    @cached_property
    def _choices(self) -> DiscreteSpace:
        return DiscreteSpace(self.layout, self.allowed)

    @property
    def _enumerable(self) -> bool:
        return self._choices.count <= ENUMERABLE

    @cached_property
    def _solver(self) -> ExhaustiveSolver | MilpSolver:
        if self._enumerable:
            return ExhaustiveSolver(self._choices, self.budgets)
        return MilpSolver(self._choices, self.budgets, self.feasible_start)

    @cached_property
    def feasible_start(self) -> Architecture | None:
        """Some architecture within the budgets, from the cheapest of each on."""
        for budget in self.budgets:
            start = budget.cost.least()[1]
            found = _descended(self._choices, self.budgets, start)
            if found is not None:
                return found
        return None

    def derive(self, weights: Mapping[str, Sequence[float]]) -> Architecture:
        """The architecture of the largest sum of scores, within the budgets and connected.

        `weights` are lists in the candidates' order, by decision; what is left out has none. In
        spaces of up to 200,000 architectures the answer is exact.

        Raises:
            ConfigError: nothing is within the budgets.
        """
        found = self._solver.best(self.scores(weights))
        if found is None:
            raise ConfigError(self._infeasible())
        return found

    def top(self, weights: Mapping[str, Sequence[float]], count: int) -> list[Architecture]:
        """So many of the strongest architectures within the budgets, the strongest first.

        In spaces of up to 200,000 architectures they are exactly these; elsewhere the strongest
        that was found, and others near it.

        Raises:
            ConfigError: nothing is within the budgets.
        """
        found = self._solver.top(self.scores(weights), count)
        if not found:
            raise ConfigError(self._infeasible())
        return found

    def require_feasible(self) -> None:
        """Check that something is within the budgets.

        Raises:
            ConfigError: nothing is; the text has the smallest values that are possible.
        """
        if not self.feasible:
            raise ConfigError(self._infeasible())

    @cached_property
    def feasible(self) -> bool:
        """Whether anything is within the budgets.

        Where a cost is slow to read, a bound or one architecture settles it in most cases.
        """
        if not all(len(group) for group in self._choices.groups):
            return False
        slow = [budget for budget in self.budgets if budget.cost.slow]
        if not all(within(budget.cost.floor() / budget.limit) for budget in slow):
            return False
        if slow and self.allowed is None and len(self.budgets) == 1 and not self._enumerable:
            return within(slow[0].cost.least()[0] / slow[0].limit)  # what a refusal would name
        if slow and self.feasible_start is not None and self._uses_image(self.feasible_start):
            return True
        return self._solver.best(self._choices.layout.zeros().numpy()) is not None

    def scores(self, weights: Mapping[str, Sequence[float]]) -> Table:
        """What each candidate [E, O] adds to an architecture's score where its edge is live, nats.

        Where an edge may be null: log(strength / null's strength), so that null adds nothing, as an
        edge that leads nowhere does. Where nodes keep some of their edges:
        log(strength / uniform share + 1), since a strength far below the share is noise. To this
        comes what a candidate spends of the budgets (see `budget_use_bonus`).
        """
        layout = self.layout
        strengths = np.zeros(tuple(layout.zeros().shape))
        for name, values in weights.items():
            strengths[layout.row[name], : len(values)] = values
        strengths = np.maximum(strengths, _LEAST)
        offered, connecting = self._choices.offered, layout.connecting.numpy() > 0
        nulls = offered & ~connecting
        others = np.where(offered & connecting, strengths, np.inf).min(axis=1, keepdims=True)
        weakest = np.where(np.isfinite(others), others, 1.0)
        null = np.where(nulls, strengths, 0.0).max(axis=1, keepdims=True)
        weighed = null if self.null or self.budgets else weakest
        shares = np.array([1 / len(decision.candidates) for decision in layout.decisions])
        may_end = nulls.any(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            scores = np.where(
                may_end, np.log(strengths / weighed), np.log1p(strengths / shares[:, None])
            )
        return np.where(nulls, 0.0, scores + self._spent)

    @cached_property
    def _spent(self) -> Table:
        """What is added to scores [E, O] for what a candidate takes of the budgets, on average."""
        layout = self.layout
        total = np.zeros(tuple(layout.zeros().shape))
        for budget in self.budgets:
            total += budget.cost.surrogate.table.numpy() / budget.limit
        offered = self._choices.offered
        least = np.where(offered, total, np.inf).min(axis=1, keepdims=True)
        above = np.where(offered, total - np.where(np.isfinite(least), least, 0.0), 0.0)
        return self.budget_use_bonus * len(layout.decisions) / max(1, len(self.budgets)) * above

    def draw(self, count: int, seed: int) -> list[Architecture]:
        """So many architectures within the budgets, drawn uniformly where that is possible.

        Where many draws in a row are beyond a budget, strengths are drawn in their place, and what
        they speak for within the budgets is taken.
        """
        generator = np.random.default_rng(seed)
        if isinstance(self._solver, ExhaustiveSolver):
            return [self._solver.draw(generator) for _ in range(count)]
        return [self._drawn(generator) for _ in range(count)]

    def _drawn(self, generator: np.random.Generator) -> Architecture:
        space, size = self.layout.space, self.layout.size
        for _ in range(_TRIES):
            found = random_architecture(space, size, generator)
            if self._holds(found):
                return found
        found = self._solver.best(generator.gumbel(size=tuple(self.layout.zeros().shape)))
        assert found is not None, "checked before anything started"
        return found

    def cost_range(self, cost: CostModel) -> tuple[float, float]:
        """The smallest and the largest value of a cost within the budgets, as far as it is known.

        Where architectures are too many to go through, the ends are those that were found.

        Raises:
            ConfigError: nothing is within the budgets.
        """
        limits = [budget.limit for budget in self.budgets if budget.cost == cost]
        others = tuple(budget for budget in self.budgets if budget.cost != cost)
        if isinstance(self._solver, ExhaustiveSolver):
            found = ExhaustiveSolver(
                self._choices, (Budget(cost, min(limits, default=1.0)), *others)
            )
            smallest = found.least(0)
            if smallest is None:
                raise ConfigError(self._infeasible())
            return smallest[0], min([found.largest(0), *limits])
        cheap = self._near_least(cost, others)
        if cheap is None:
            raise ConfigError(self._infeasible())
        smallest = cost.bound(cheap)
        dearest = cost.bound(min_cost_architecture(self.layout, -cost.surrogate.table))
        return smallest, min([max(smallest, dearest), *limits])

    def _near_least(self, cost: CostModel, others: Sequence[Budget]) -> Architecture | None:
        """What costs little within the budgets: the `others` may exclude the cheapest there is."""
        tried = (_descended(self._choices, others, cost.least()[1]), self.feasible_start)
        found = [one for one in tried if one is not None and self._holds(one)]
        if found:
            return min(found, key=cost.bound)
        return self._solver.best(self.layout.zeros().numpy())

    def _uses_image(self, architecture: Architecture) -> bool:
        return is_connected(self.layout.space, architecture, self.layout.size)

    def _holds(self, architecture: Architecture) -> bool:
        return all(budget.holds(architecture) for budget in self.budgets)

    def _least(self, budget: int) -> float:
        """The smallest value of a cost that was found, the other budgets being kept if possible."""
        if isinstance(self._solver, ExhaustiveSolver) and not self.budgets[budget].cost.slow:
            found = self._solver.least(budget)
            if found is None:
                found = ExhaustiveSolver(self._choices, self.budgets[budget : budget + 1]).least(0)
            return np.inf if found is None else found[0]
        return self.budgets[budget].cost.least()[0]

    def _infeasible(self) -> str:
        """The line that refuses these budgets."""
        alone = [
            Derivation(self.layout, (budget,), self.null, self.allowed) for budget in self.budgets
        ]
        beyond = [one for one in alone if not one.feasible]
        if beyond:
            (budget,) = beyond[0].budgets
            least = beyond[0]._least(0)
            return (
                f"{budget.flag} {budget.limit:g} is infeasible: the smallest possible is "
                f"{budget.number(least)} ({_where(self.layout)})"
            )
        named = " and ".join(f"{b.flag} {b.limit:g}" for b in self.budgets)
        smallest = ", ".join(
            f"{budget.flag} {budget.number(one._least(0))}"
            for budget, one in zip(self.budgets, alone, strict=True)
        )
        return (
            f"{named} are infeasible together ({_where(self.layout)}): the smallest possible of "
            f"each alone is {smallest}"
        )


def _where(layout: DecisionTable) -> str:
    return f"{layout.space.name} at {layout.size.text}"


def _descended(
    choices: DiscreteSpace, budgets: Sequence[Budget], start: Architecture
) -> Architecture | None:
    """What is within all budgets, reached from `start` by exchanging one pick at a time."""
    picks = choices.picks(start)
    if picks is None:
        return None

    def excess(state: Assignments) -> float:
        one = choices.architecture(state)
        return sum(max(0.0, b.ratio(one) - 1) for b in budgets if not b.holds(one))

    def neighbours(state: Assignments) -> Iterator[Assignments]:
        return (one for one in choices.exchanges(state) if choices.connected(one[None])[0])

    left, picks = local_search(picks, excess, neighbours, enough=0.0)
    return None if left > 0 else choices.architecture(picks)
