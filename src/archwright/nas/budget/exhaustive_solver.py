"""Exhaustive solver: the best architecture within budgets, from a ranking of a whole space.

Legend: N architectures, E decisions, O candidates of the largest decision.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archwright.cost.contract import ROUNDING, within
from archwright.graph import Architecture
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.discrete_space import DiscreteSpace, Table
from archwright.spaces.discretise import is_connected


class ExhaustiveSolver:
    """Every architecture of a space, and the costs computed so far."""

    def __init__(self, choices: DiscreteSpace, budgets: Sequence[Budget]) -> None:
        self._choices = choices
        self._budgets = tuple(budgets)
        self._picks = choices.all
        self._usable = choices.connected(self._picks)
        self._live = choices.live(self._picks)
        self._columns = choices.columns(self._picks)
        self._ratios = [self._known(budget) for budget in self._budgets]

    def _known(self, budget: Budget) -> Table:
        """Return the ratio of cost and limit [N]; NaN where it is computed later, when needed."""
        if not budget.adds_up:
            ratios = np.full(len(self._picks), np.nan)
            if budget.cost.vectorised:
                usable = np.flatnonzero(self._usable)
                ratios[usable] = budget.ratios([self.architecture(int(i)) for i in usable])
            return ratios
        sums = self._sum(budget.cost.surrogate.table.numpy())
        return (budget.cost.surrogate.constant + sums) / budget.limit

    def _sum(self, table: Table) -> Table:
        values = self._choices.values(table)
        columns = (value[self._picks[:, group]] for group, value in enumerate(values))
        return np.sum(list(columns), axis=0)

    def _scored(self, scores: Table) -> Table:
        """Return the sum [N] of scores [E, O] over live edges."""
        taken = scores[np.arange(len(scores)), self._columns]
        return np.where(self._live, taken, 0.0).sum(axis=1)

    def best(self, scores: Table) -> Architecture | None:
        """Return the architecture of the largest score within all budgets; None: there is none.

        The score is the sum of `scores` [E, O] over live edges. Of equal ones the first in the
        order of candidates is returned.
        """
        return next(iter(self.top(scores, 1)), None)

    def top(self, scores: Table, count: int) -> list[Architecture]:
        """Return up to `count` architectures within all budgets, the best first.

        Of architectures that differ only on edges that are not live, the first one counts.
        """
        ranked = (int(index) for index in self._ranked(self._scored(scores)))
        found: dict[bytes, int] = {}
        for index in filter(self._holds, ranked):
            found.setdefault(np.where(self._live[index], self._columns[index], -1).tobytes(), index)
            if len(found) == count:
                break
        return [self.architecture(index) for index in found.values()]

    def least(self, budget: int) -> tuple[float, Architecture] | None:
        """Return the smallest cost within the other budgets, and its architecture."""
        others = [one for one in range(len(self._budgets)) if one != budget]
        for index in self._order(budget):
            if all(within(self._ratio(other, index)) for other in others) and self._uses(index):
                if not np.isfinite(self._ratio(budget, index)):
                    return None
                found = self.architecture(index)
                return self._budgets[budget].cost.bound(found), found
        return None

    def largest(self, budget: int) -> float:
        """Return the largest cost of a connected architecture."""
        ratios = np.array([self._ratio(budget, int(i)) for i in np.flatnonzero(self._usable)])
        return float(ratios[np.isfinite(ratios)].max()) * self._budgets[budget].limit

    def draw(self, generator: np.random.Generator) -> Architecture:
        """Draw an architecture within all budgets uniformly."""
        scores = generator.random(len(self._picks))  # the first of a shuffled list that holds
        return self.architecture(next(int(i) for i in self._ranked(scores) if self._holds(int(i))))

    def _order(self, budget: int) -> list[int]:
        usable = np.flatnonzero(self._usable)
        ratios = np.array([self._ratio(budget, int(index)) for index in usable])
        return [int(index) for index in usable[np.argsort(ratios, kind="stable")]]

    def _ranked(self, sums: Table) -> NDArray[np.intp]:
        """Return the architectures that are not known to be infeasible, the best first."""
        possible = self._usable.copy()
        for ratios in self._ratios:
            possible &= ~(ratios > 1 + ROUNDING)  # what is not known yet compares as false
        left = np.flatnonzero(possible)
        return left[np.argsort(-sums[left], kind="stable")]

    def _holds(self, index: int) -> bool:
        numbers = range(len(self._budgets))
        return all(within(self._ratio(one, index)) for one in numbers) and self._uses(index)

    def _ratio(self, budget: int, index: int) -> float:
        ratios = self._ratios[budget]
        if np.isnan(ratios[index]) and self._budgets[budget].cost.vectorised:
            places = np.flatnonzero(self._usable & np.isnan(ratios))
            ratios[places] = self._budgets[budget].ratios(list(map(self.architecture, places)))
        if np.isnan(ratios[index]):
            ratios[index] = self._budgets[budget].ratio(self.architecture(index))
        return float(ratios[index])

    def _uses(self, index: int) -> bool:
        """Return whether the logits depend on the image; in most skeletons the cells decide it."""
        if not self._usable[index]:
            return False
        table = self._choices.table
        self._usable[index] = is_connected(table.space, self.architecture(index), table.size)
        return bool(self._usable[index])

    def architecture(self, index: int | np.intp) -> Architecture:
        """Return the architecture of that number."""
        return self._choices.architecture(self._picks[index])
