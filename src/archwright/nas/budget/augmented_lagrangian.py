"""Augmented Lagrangian of a search's budgets, and weights of costs in alpha's loss.

Each budget adds (max(0, m + r g)^2 - m^2) / 2r to alpha's loss, where g = expected cost / limit - 1
and m is its multiplier (Hestenes, 1969, and Powell, 1969; one-sided as in Rockafellar, 1973): once
the budget is met and the multiplier is zero, nothing is added. After each step of alpha, every
multiplier changes in proportion to the relative excess of the top-ranked architecture at its exact
cost: the expected cost of a mixture may be within a limit that its strongest candidates exceed.

Legend: E decisions, O candidates of the largest decision, J budgets.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.model import CostModel
from archwright.graph import Architecture, Decision
from archwright.nas.budget.budget import Budget, costs_to_json
from archwright.nas.budget.regularity import Regularity
from archwright.nas.monitor.statistics import Weights

_STIFFNESS = 1.0
"""r: at an expected cost of twice its limit, a budget adds the gradient of a multiplier of 1."""
_ASCENT = 20.0
"""Multipliers rise by 1 while a budget is exceeded by its own size for 1/20 of a search."""

_Places = tuple[Tensor, Tensor]
"""Rows and columns of some entries of a table."""


class AugmentedLagrangian:
    """Penalty of budgets and an objective on alpha's loss.

    Attributes:
        multipliers: one a budget [J], float64.
        costs: costs of the architecture of the last step, by the cost's name.
    """

    def __init__(
        self,
        table: DecisionTable,
        budgets: Sequence[Budget],
        objective: Sequence[tuple[CostModel, float]],
        strongest: Callable[[Weights], Architecture],
        *,
        ranks_none: bool,
        steps: int,
        regularity: float = 0.0,
    ) -> None:
        """Hold budgets over a search in which alpha takes `steps` steps.

        `strongest` derives the top-ranked architecture without budgets from weights; `ranks_none`
        says whether `none` can be selected by its own weight there, where a node keeps all its
        edges; `regularity` is the factor of the expected fraction of operations in use.
        """
        self.multipliers = torch.zeros(len(budgets), dtype=torch.float64)
        self.costs: dict[str, float] = {}
        self._table = table
        self._budgets = tuple(budgets)
        self._strongest = strongest
        self._ranks_none = ranks_none
        self._regularity = regularity
        self._irregular = Regularity(table)
        self._rate = _ASCENT / max(1, steps)
        self._index: tuple[tuple[Decision, ...], _Places, _Places] | None = None
        self._known: dict[Architecture, list[float]] = {}
        uniform = self.expected_selection(
            _divided(table.connecting, table.connecting.sum(1, keepdim=True))
        )
        self._objective = [
            (model, weight / max(float(model.expected(uniform)), 1e-12))
            for model, weight in objective
        ]

    def penalty(self, decisions: tuple[Decision, ...], strengths: Tensor) -> Tensor:
        """Return the term added to alpha's loss, given the weights [E, O] of the decisions."""
        weights = self.expected_selection(self._placed(decisions, strengths.double()))
        total = weights.new_zeros(())
        for budget, multiplier in zip(self._budgets, self.multipliers.tolist(), strict=True):
            over = budget.cost.expected(weights) / budget.limit - 1
            pull = (multiplier + _STIFFNESS * over).clamp(min=0.0)
            total = total + (pull.square() - multiplier**2) / (2 * _STIFFNESS)
        for model, weight in self._objective:
            total = total + weight * model.expected(weights)
        if self._regularity:
            total = total + self._regularity * self._irregular.expected(weights)
        return total.to(strengths.dtype)

    def update_multipliers(self, weights: Weights) -> None:
        """Change each multiplier by the relative excess of the top-ranked architecture."""
        found = self._strongest(weights)
        if found not in self._known:
            self._known[found] = [budget.ratio(found) for budget in self._budgets]
        ratios = torch.tensor(self._known[found], dtype=torch.float64)
        self.multipliers += self._rate * (ratios - 1).clamp(-1.0, 1.0)
        self.multipliers.clamp_(min=0.0)
        pairs = zip(self._budgets, self._known[found], strict=True)
        self.costs = {budget.cost.name: ratio * budget.limit for budget, ratio in pairs}

    def expected_selection(self, strengths: Tensor) -> Tensor:
        """Return the expected selection [E, O] of each candidate in the derived architecture.

        Edges into a node that keeps k of them sum to k; elsewhere `none` counts only if it can be
        selected by its own weight.
        """
        table = self._table
        connecting = table.connecting.to(strengths)
        others = strengths * connecting
        weights = (
            strengths if self._ranks_none else _divided(others, others.sum(dim=1, keepdim=True))
        )
        for cell in table.cells:
            if cell.spec.keep is None:
                continue
            for node in cell.spec.inner():
                rows = [row for row, _, target in cell.edges if target == node]
                share = min(cell.spec.keep, len(rows)) / others[rows].sum().clamp(min=1e-12)
                place = torch.zeros(len(others), 1, dtype=torch.bool, device=others.device)
                place[rows] = True
                weights = torch.where(place, others * share, weights)
        return weights

    def narrow(self, strongest: Callable[[Weights], Architecture]) -> None:
        """Rank by `strongest` from now on: the space was narrowed."""
        self._strongest = strongest

    def _placed(self, decisions: tuple[Decision, ...], strengths: Tensor) -> Tensor:
        """Return the weights of a search's decisions, in the table [E, O] of the whole space."""
        if self._index is None or self._index[0] != decisions:
            self._index = decisions, *_index(self._table, decisions)
        _, own, places = self._index
        shape = self._table.zeros().shape
        return strengths.new_zeros(shape).index_put(places, strengths[own])

    def record(self) -> dict[str, dict[str, float | None]]:
        """Return the log record: multipliers, and costs of the top-ranked architecture, by cost.

        A cost that is not known is None.
        """
        names = (budget.cost.name for budget in self._budgets)
        return {
            "multipliers": dict(zip(names, self.multipliers.tolist(), strict=True)),
            "strongest_costs": costs_to_json(self.costs),
        }

    def state(self) -> dict[str, Any]:
        """Return the state that a resumed search needs."""
        return {"multipliers": self.multipliers.clone(), "costs": dict(self.costs)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self.multipliers.copy_(state["multipliers"])
        self.costs = dict(state["costs"])


def _index(table: DecisionTable, decisions: tuple[Decision, ...]) -> tuple[_Places, _Places]:
    """Return the entries of a search's candidates in its own table, and in that of the space."""
    own: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    for row, decision in enumerate(decisions):
        for column, candidate in enumerate(decision.candidates):
            own.append((row, column))
            places.append(table.at(decision.name, candidate))
    return _columns(own), _columns(places)


def _columns(places: Sequence[tuple[int, int]]) -> _Places:
    rows, columns = zip(*places, strict=True)
    return torch.tensor(rows), torch.tensor(columns)


def _divided(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=1e-12)
