"""Derivation of the top-ranked architecture within budgets from the weights of a search.

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
"""Lower bound of weights before their logarithm is taken."""
_TRIES = 200
"""Rejected draws at random, after which a feasible architecture is constructed instead."""


@dataclass(frozen=True)
class Derivation:
    """Derivation of connected architectures, within budgets if there are any.

    Without `ranks_none` and budgets no edge is given up: `none` then scores as much as the weakest
    candidate beside it. `allowed` narrows the space (see `DiscreteSpace`). An architecture that
    uses all of its budgets scores `budget_use_bonus` nats a decision more than one that uses none
    of them.
    """

    table: DecisionTable
    budgets: tuple[Budget, ...]
    ranks_none: bool
    allowed: Mapping[str, Sequence[str]] | None = None
    budget_use_bonus: float = 0.0

    @cached_property
    def _choices(self) -> DiscreteSpace:
        return DiscreteSpace(self.table, self.allowed)

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
        """Feasible architecture by local search from the cheapest one of each cost, if found."""
        for budget in self.budgets:
            start = budget.cost.least()[1]
            found = _descended(self._choices, self.budgets, start)
            if found is not None:
                return found
        return None

    def derive(self, weights: Mapping[str, Sequence[float]]) -> Architecture:
        """Return the connected architecture of the largest sum of scores within the budgets.

        `weights` are lists in the candidates' order, by decision; a missing decision has weight 0.
        In spaces of up to 200,000 architectures the result is exact.

        Raises:
            ConfigError: no architecture is within the budgets.
        """
        found = self._solver.best(self.scores(weights))
        if found is None:
            raise ConfigError(self._infeasible())
        return found

    def top(self, weights: Mapping[str, Sequence[float]], count: int) -> list[Architecture]:
        """Return the `count` top-ranked architectures within the budgets, the strongest first.

        In spaces of up to 200,000 architectures the result is exact; elsewhere it is the strongest
        architecture that was found, and others near it.

        Raises:
            ConfigError: no architecture is within the budgets.
        """
        found = self._solver.top(self.scores(weights), count)
        if not found:
            raise ConfigError(self._infeasible())
        return found

    def require_feasible(self) -> None:
        """Check that some architecture is within the budgets.

        Raises:
            ConfigError: none is; the text gives the smallest possible values.
        """
        if not self.feasible:
            raise ConfigError(self._infeasible())

    @cached_property
    def feasible(self) -> bool:
        """Whether any architecture is within the budgets.

        Where a cost is slow to compute, a bound or one architecture decides it in most cases.
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
        return self._solver.best(self._choices.table.zeros().numpy()) is not None

    def scores(self, weights: Mapping[str, Sequence[float]]) -> Table:
        """Return the contribution [E, O] of each candidate to the score, in nats, on a live edge.

        On an edge that may be `none`: log(weight / weight of none), so that `none` adds 0, as does
        an edge that is on no path to the output. Where nodes keep some of their edges:
        log(weight / uniform weight + 1), since a weight far below the uniform one is noise. The
        bonus for the budget that a candidate uses is added (see `budget_use_bonus`).
        """
        table = self.table
        strengths = np.zeros(tuple(table.zeros().shape))
        for name, values in weights.items():
            strengths[table.row[name], : len(values)] = values
        strengths = np.maximum(strengths, _LEAST)
        offered, connecting = self._choices.offered, table.connecting.numpy() > 0
        none_ops = offered & ~connecting
        others = np.where(offered & connecting, strengths, np.inf).min(axis=1, keepdims=True)
        weakest = np.where(np.isfinite(others), others, 1.0)
        none_op = np.where(none_ops, strengths, 0.0).max(axis=1, keepdims=True)
        weighed = none_op if self.ranks_none or self.budgets else weakest
        shares = np.array([1 / len(decision.candidates) for decision in table.decisions])
        may_end = none_ops.any(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            scores = np.where(
                may_end, np.log(strengths / weighed), np.log1p(strengths / shares[:, None])
            )
        return np.where(none_ops, 0.0, scores + self._spent)

    @cached_property
    def _spent(self) -> Table:
        """Bonus on scores [E, O] for the mean fraction of the budgets that a candidate uses."""
        table = self.table
        total = np.zeros(tuple(table.zeros().shape))
        for budget in self.budgets:
            total += budget.cost.surrogate.table.numpy() / budget.limit
        offered = self._choices.offered
        least = np.where(offered, total, np.inf).min(axis=1, keepdims=True)
        above = np.where(offered, total - np.where(np.isfinite(least), least, 0.0), 0.0)
        return self.budget_use_bonus * len(table.decisions) / max(1, len(self.budgets)) * above

    def draw(self, count: int, seed: int) -> list[Architecture]:
        """Draw `count` architectures within the budgets, uniformly where that is possible.

        Where many draws in a row exceed a budget, random scores are drawn instead, and the best
        feasible architecture under them is taken.
        """
        generator = np.random.default_rng(seed)
        if isinstance(self._solver, ExhaustiveSolver):
            return [self._solver.draw(generator) for _ in range(count)]
        return [self._drawn(generator) for _ in range(count)]

    def _drawn(self, generator: np.random.Generator) -> Architecture:
        space, size = self.table.space, self.table.size
        for _ in range(_TRIES):
            found = random_architecture(space, size, generator)
            if self._holds(found):
                return found
        found = self._solver.best(generator.gumbel(size=tuple(self.table.zeros().shape)))
        assert found is not None, "checked before anything started"
        return found

    def cost_range(self, cost: CostModel) -> tuple[float, float]:
        """Return the smallest and the largest value of a cost within the budgets.

        In spaces that are too large to enumerate, they are the extremes that a search found.

        Raises:
            ConfigError: no architecture is within the budgets.
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
        dearest = cost.bound(min_cost_architecture(self.table, -cost.surrogate.table))
        return smallest, min([max(smallest, dearest), *limits])

    def _near_least(self, cost: CostModel, others: Sequence[Budget]) -> Architecture | None:
        """Return a feasible architecture of small cost; `others` may exclude the cheapest one."""
        tried = (_descended(self._choices, others, cost.least()[1]), self.feasible_start)
        found = [one for one in tried if one is not None and self._holds(one)]
        if found:
            return min(found, key=cost.bound)
        return self._solver.best(self.table.zeros().numpy())

    def _uses_image(self, architecture: Architecture) -> bool:
        return is_connected(self.table.space, architecture, self.table.size)

    def _holds(self, architecture: Architecture) -> bool:
        return all(budget.holds(architecture) for budget in self.budgets)

    def _least(self, budget: int) -> float:
        """Return the smallest cost found of a budget, within the other budgets if possible."""
        if isinstance(self._solver, ExhaustiveSolver) and not self.budgets[budget].cost.slow:
            found = self._solver.least(budget)
            if found is None:
                found = ExhaustiveSolver(self._choices, self.budgets[budget : budget + 1]).least(0)
            return np.inf if found is None else found[0]
        return self.budgets[budget].cost.least()[0]

    def _infeasible(self) -> str:
        """Return the text of the error that these budgets are infeasible."""
        alone = [
            Derivation(self.table, (budget,), self.ranks_none, self.allowed)
            for budget in self.budgets
        ]
        beyond = [one for one in alone if not one.feasible]
        if beyond:
            (budget,) = beyond[0].budgets
            least = beyond[0]._least(0)
            return (
                f"{budget.flag} {budget.limit:g} is infeasible: the smallest possible is "
                f"{budget.number(least)} ({_where(self.table)})"
            )
        named = " and ".join(f"{b.flag} {b.limit:g}" for b in self.budgets)
        smallest = ", ".join(
            f"{budget.flag} {budget.number(one._least(0))}"
            for budget, one in zip(self.budgets, alone, strict=True)
        )
        return (
            f"{named} are infeasible together ({_where(self.table)}): the smallest possible of "
            f"each alone is {smallest}"
        )


def _where(table: DecisionTable) -> str:
    return f"{table.space.name} at {table.size.text}"


def _descended(
    choices: DiscreteSpace, budgets: Sequence[Budget], start: Architecture
) -> Architecture | None:
    """Return a feasible architecture by local search from `start`: exchanges of one pick."""
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
