"""The augmented Lagrangian of a search's budgets, and an objective's weights on costs.

Each budget adds (max(0, m + r g)^2 - m^2) / 2r to alpha's loss, where g = expected cost / limit - 1
and m is its multiplier (Hestenes, 1969, and Powell, 1969; one-sided as in Rockafellar, 1973): once
the budget is met and the multiplier is spent, nothing is added. After each of alpha's steps every
multiplier moves by how far the architecture that alpha speaks for now, costed exactly, is beyond
the limit: what is expected of a mixture may hold where its strongest candidates do not.

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
"""r: at an expected cost of twice its limit, a budget pulls like a multiplier of 1."""
_ASCENT = 20.0
"""Multipliers rise by 1 while a budget is exceeded by its own size for 1/20 of a search."""

_Places = tuple[Tensor, Tensor]
"""Rows and columns of some places in a table."""


class AugmentedLagrangian:
    """What budgets and an objective add to alpha's loss.

    Attributes:
        multipliers: one a budget [J], float64.
        costs: what the architecture of the last step costs, by the cost's name.
    """

    def __init__(
        self,
        layout: DecisionTable,
        budgets: Sequence[Budget],
        objective: Sequence[tuple[CostModel, float]],
        strongest: Callable[[Weights], Architecture],
        *,
        null: bool,
        steps: int,
        regularity: float = 0.0,
    ) -> None:
        """Budgets for a search of so many steps of alpha.

        `strongest` is the architecture that weights speak for without budgets; `null` whether the
        null candidate may win there where a node keeps all its edges; `regularity` weighs how many
        operations are expected to be in use.
        """
        self.multipliers = torch.zeros(len(budgets), dtype=torch.float64)
        self.costs: dict[str, float] = {}
        self._layout = layout
        self._budgets = tuple(budgets)
        self._strongest = strongest
        self._null = null
        self._regularity = regularity
        self._irregular = Regularity(layout)
        self._rate = _ASCENT / max(1, steps)
        self._index: tuple[tuple[Decision, ...], _Places, _Places] | None = None
        self._known: dict[Architecture, list[float]] = {}
        uniform = self.expected_selection(
            _divided(layout.connecting, layout.connecting.sum(1, keepdim=True))
        )
        self._objective = [
            (model, weight / max(float(model.expected(uniform)), 1e-12))
            for model, weight in objective
        ]

    def penalty(self, decisions: tuple[Decision, ...], strengths: Tensor) -> Tensor:
        """What joins alpha's loss, of the strengths [E, O] of a search's decisions."""
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
        """Move each multiplier by how far the strongest architecture is from its limit."""
        found = self._strongest(weights)
        if found not in self._known:
            self._known[found] = [budget.ratio(found) for budget in self._budgets]
        ratios = torch.tensor(self._known[found], dtype=torch.float64)
        self.multipliers += self._rate * (ratios - 1).clamp(-1.0, 1.0)
        self.multipliers.clamp_(min=0.0)
        pairs = zip(self._budgets, self._known[found], strict=True)
        self.costs = {budget.cost.name: ratio * budget.limit for budget, ratio in pairs}

    def expected_selection(self, strengths: Tensor) -> Tensor:
        """The weights [E, O] with which candidates are expected in what is derived.

        Edges into a node that keeps k of them share k; elsewhere null candidates only count if
        they may win.
        """
        layout = self._layout
        connecting = layout.connecting.to(strengths)
        others = strengths * connecting
        weights = strengths if self._null else _divided(others, others.sum(dim=1, keepdim=True))
        for cell in layout.cells:
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
        """Go on with the architecture that weights speak for in what is left of the space."""
        self._strongest = strongest

    def _placed(self, decisions: tuple[Decision, ...], strengths: Tensor) -> Tensor:
        """Strengths of a search's own decisions, in the places [E, O] of the whole space."""
        if self._index is None or self._index[0] != decisions:
            self._index = decisions, *_index(self._layout, decisions)
        _, own, places = self._index
        shape = self._layout.zeros().shape
        return strengths.new_zeros(shape).index_put(places, strengths[own])

    def record(self) -> dict[str, dict[str, float | None]]:
        """What is logged: multipliers, and costs of the strongest architecture, by cost.

        A cost that is not known is None.
        """
        names = (budget.cost.name for budget in self._budgets)
        return {
            "multipliers": dict(zip(names, self.multipliers.tolist(), strict=True)),
            "strongest_costs": costs_to_json(self.costs),
        }

    def state(self) -> dict[str, Any]:
        """All that changes as the search goes on."""
        return {"multipliers": self.multipliers.clone(), "costs": dict(self.costs)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.multipliers.copy_(state["multipliers"])
        self.costs = dict(state["costs"])


def _index(layout: DecisionTable, decisions: tuple[Decision, ...]) -> tuple[_Places, _Places]:
    """Where a search's candidates stand in its own table, and where in that of the whole space."""
    own: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    for row, decision in enumerate(decisions):
        for column, candidate in enumerate(decision.candidates):
            own.append((row, column))
            places.append(layout.at(decision.name, candidate))
    return _columns(own), _columns(places)


def _columns(places: Sequence[tuple[int, int]]) -> _Places:
    rows, columns = zip(*places, strict=True)
    return torch.tensor(rows), torch.tensor(columns)


def _divided(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=1e-12)
