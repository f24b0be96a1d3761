"""The best architecture within budgets, exactly: every one of a small space is ranked.

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
    """Every architecture of a space, with what is known of its costs."""

    def __init__(self, choices: DiscreteSpace, budgets: Sequence[Budget]) -> None:
        self._choices = choices
        self._budgets = tuple(budgets)
        self._picks = choices.all
        self._usable = choices.connected(self._picks)
        self._live = choices.live(self._picks)
        self._columns = choices.columns(self._picks)
        self._ratios = [self._known(budget) for budget in self._budgets]

    def _known(self, budget: Budget) -> Table:
        """The ratio of cost and limit [N]; NaN where it must be asked for."""
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
        """The sum [N] of scores [E, O] over the edges that lead somewhere."""
        taken = scores[np.arange(len(scores)), self._columns]
        return np.where(self._live, taken, 0.0).sum(axis=1)

    def best(self, scores: Table) -> Architecture | None:
        """The architecture of the largest sum of scores [E, O] within all budgets; None: none is.

        An edge on no way through its cell adds nothing. Of equals the first in the order of
        candidates.
        """
        return next(iter(self.top(scores, 1)), None)

    def top(self, scores: Table, count: int) -> list[Architecture]:
        """So many architectures within all budgets, as far as there are, the best first.

        Of those that differ only where nothing leads, the first in the order of candidates.
        """
        ranked = (int(index) for index in self._ranked(self._scored(scores)))
        found: dict[bytes, int] = {}
        for index in filter(self._holds, ranked):
            found.setdefault(np.where(self._live[index], self._columns[index], -1).tobytes(), index)
            if len(found) == count:
                break
        return [self.architecture(index) for index in found.values()]

    def least(self, budget: int) -> tuple[float, Architecture] | None:
        """The smallest cost that is possible within the other budgets, and what has it."""
        others = [one for one in range(len(self._budgets)) if one != budget]
        for index in self._order(budget):
            if all(within(self._ratio(other, index)) for other in others) and self._uses(index):
                if not np.isfinite(self._ratio(budget, index)):
                    return None
                found = self.architecture(index)
                return self._budgets[budget].cost.bound(found), found
        return None

    def largest(self, budget: int) -> float:
        """The largest cost that any usable architecture has."""
        ratios = np.array([self._ratio(budget, int(i)) for i in np.flatnonzero(self._usable)])
        return float(ratios[np.isfinite(ratios)].max()) * self._budgets[budget].limit

    def draw(self, generator: np.random.Generator) -> Architecture:
        """An architecture within all budgets, drawn uniformly."""
        scores = generator.random(len(self._picks))  # the first of a shuffled list that holds
        return self.architecture(next(int(i) for i in self._ranked(scores) if self._holds(int(i))))

    def _order(self, budget: int) -> list[int]:
        usable = np.flatnonzero(self._usable)
        ratios = np.array([self._ratio(budget, int(index)) for index in usable])
        return [int(index) for index in usable[np.argsort(ratios, kind="stable")]]

    def _ranked(self, sums: Table) -> NDArray[np.intp]:
        """Those that may hold, the best first."""
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
        """Whether the logits depend on the image: cells alone settle it in most skeletons."""
        if not self._usable[index]:
            return False
        layout = self._choices.layout
        self._usable[index] = is_connected(layout.space, self.architecture(index), layout.size)
        return bool(self._usable[index])

    def architecture(self, index: int | np.intp) -> Architecture:
        """The architecture of that number."""
        return self._choices.architecture(self._picks[index])
