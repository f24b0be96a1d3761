"""A good architecture within budgets where there are too many to rank them all.

Lagrangian relaxation: for given prices of the costs the best pick of each group is independent of
the others. Prices are raised until the budgets hold, then lowered one by one; what is found on the
way is improved by exchanging the picks of one or two groups.

Legend: G groups, P picks of a group, J budgets, E decisions, O candidates of the largest decision.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from archwright.cost.contract import ROUNDING, within
from archwright.graph import Architecture
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.discrete_space import DiscreteSpace, Picks, Table
from archwright.spaces.discretise import is_connected

_HALVINGS = 24
_ROUNDS = 2
_STARTS = 4
_CHECKS = 60
"""Networks that are costed in full, at most, before a round of exchanges gives up."""
_GAIN = 1e-9
_NEXT = 3
"""Of a group's picks, so many next best ones are tried."""


class LagrangianSolver:
    """The picks of a large space, with prices on what they cost."""

    def __init__(
        self, choices: DiscreteSpace, budgets: Sequence[Budget], witness: Architecture | None
    ) -> None:
        """A `witness` is known to be within all budgets."""
        self._choices = choices
        self._budgets = tuple(budgets)
        self._costs = [
            choices.values(budget.cost.surrogate.table.numpy() / budget.limit)
            for budget in self._budgets
        ]
        self._constants = np.array(
            [budget.cost.surrogate.constant / budget.limit for budget in self._budgets]
        )
        self._admitted: dict[tuple[int, ...], bool] = {}
        self.feasible_start = None if witness is None else choices.picks(witness)

    def best(self, scores: Table) -> Architecture | None:
        """An architecture of a large sum of scores [E, O] within all budgets, if one was found."""
        values = self._choices.values(scores)
        found = self._best(values)
        return None if found is None else self._choices.architecture(found)

    def top(self, scores: Table, count: int) -> list[Architecture]:
        """So many architectures within all budgets: the best one and others near it, best first.

        From what has been found on, the best is taken and the picks of one group are exchanged by
        the next best ones, until there are enough or too many networks were costed.
        """
        values = self._choices.values(scores)
        start = self._best(values)
        if start is None:
            return []
        heap = [(-_total(values, start), tuple(map(int, start)))]
        seen, found, checked = {heap[0][1]}, list[tuple[float, tuple[int, ...]]](), 0
        while heap and len(found) < count and checked < _CHECKS + 2 * count:
            loss, picks = heappop(heap)
            checked += 1
            if self._admits(np.array(picks)):
                found.append((loss, picks))
            for other in _beside(values, picks):
                if other not in seen:
                    seen.add(other)
                    heappush(heap, (-_total(values, np.array(other)), other))
        reached = self._live_totals(values, np.array([picks for _, picks in found], dtype=np.intp))
        best_first = np.argsort(-reached, kind="stable")
        return [self._choices.architecture(found[row][1]) for row in best_first]

    def _best(self, values: list[Table]) -> Picks | None:
        """The picks of the largest sum of values that were found."""
        if not all(len(group) for group in values):
            return None
        found = sorted(self._starts(values), key=lambda picks: -_total(values, picks))
        if self.feasible_start is not None:
            found = [*found[:_STARTS], self.feasible_start]
        improved = [self._improved(values, picks) for picks in found[: _STARTS + 1]]
        if not improved:
            return None
        return max(improved, key=lambda picks: float(self._live_totals(values, picks[None])[0]))

    def _starts(self, values: list[Table]) -> Iterator[Picks]:
        """What is within the budgets, at falling prices; each once."""
        seen: set[tuple[int, ...]] = set()
        for prices in self._prices(values):
            picks = self._at(values, prices)
            key = tuple(int(pick) for pick in picks)
            if key not in seen and self._admits(picks):
                seen.add(key)
                yield picks

    def _prices(self, values: list[Table]) -> Iterator[Table]:
        """Prices [J]: none, then ones at which all budgets hold, each as low as can be."""
        prices = np.zeros(len(self._budgets))
        yield prices.copy()
        scale = max(float(np.ptp(value)) for value in values) or 1.0
        for _ in range(_HALVINGS):
            over = self._over(values, prices)
            if not over.any():
                break
            prices[over] = np.maximum(2 * prices[over], scale / 16)
        yield prices.copy()
        for _ in range(_ROUNDS):
            for budget in range(len(prices)):
                low, high = 0.0, float(prices[budget])
                for _ in range(_HALVINGS if high else 0):
                    prices[budget] = (low + high) / 2
                    if self._over(values, prices).any():
                        low = float(prices[budget])
                    else:
                        high = float(prices[budget])
                    yield prices.copy()
                prices[budget] = high

    def _over(self, values: list[Table], prices: Table) -> NDArray[np.bool_]:
        return self._spent(self._at(values, prices)) > 1

    def _at(self, values: list[Table], prices: Table) -> Picks:
        """The best pick of each group at these prices [G]; of equals the cheapest, at any."""
        found: list[int] = []
        for group, value in enumerate(values):
            cost = sum(
                (price * costs[group] for price, costs in zip(prices, self._costs, strict=True)),
                np.zeros(len(value)),
            )
            found.append(int(np.argmax(value - cost)))
        return np.array(found)

    def _spent(self, picks: Picks) -> Table:
        """Each cost [J] as its surrogate has it, in units of its limit."""
        return self._constants + np.array([_total(costs, picks) for costs in self._costs])

    def _live_totals(self, values: list[Table], picks: Picks) -> Table:
        """The sums [N] of values over the edges that lead somewhere, of picks [N, G]."""
        live, total = self._choices.live(picks), np.zeros(len(picks))
        for group, value in enumerate(values):
            taken = value[picks[:, group]]
            if self._choices.nulls[group] is not None:  # an edge of its own
                taken = np.where(live[:, self._choices.groups[group][0][0][0]], taken, 0.0)
            total += taken
        return total

    def _bare(self, picks: Picks) -> Picks:
        """The same network, with the null candidate where an edge leads nowhere."""
        live = self._choices.live(picks[None])[0]
        bare = picks.copy()
        for group, null in enumerate(self._choices.nulls):
            if null is not None and not live[self._choices.groups[group][null][0][0]]:
                bare[group] = null
        return bare

    def _improved(self, values: list[Table], picks: Picks) -> Picks:
        """The end of a climb by exchanges of one or two groups' picks."""
        may_end = any(null is not None for null in self._choices.nulls)
        exchanges = self._rewired if may_end else self._exchanges
        while True:
            bare = self._bare(picks)  # what leads nowhere takes no budget from the rest
            picks = bare if self._admits(bare) else picks
            for checked, (_, candidate) in enumerate(exchanges(values, picks)):
                if self._admits(candidate):
                    picks = candidate
                    break
                if checked == _CHECKS:
                    return picks
            else:
                return picks

    def _rewired(self, values: list[Table], picks: Picks) -> list[tuple[float, Picks]]:
        """As `_exchanges`, where an exchange may cut edges off from their cell, or open a way."""
        one = [(g, p) for g, value in enumerate(values) for p in range(len(value)) if p != picks[g]]
        pairs = [(a, b) for a, b in combinations(one, 2) if a[0] != b[0]]
        tried = np.repeat(picks[None], len(one) + len(pairs), axis=0)
        for row, changes in enumerate([(each,) for each in one] + pairs):
            for group, pick in changes:
                tried[row, group] = pick
        for budget, costs, constant in zip(
            self._budgets, self._costs, self._constants, strict=True
        ):
            if budget.adds_up:
                spent = sum((c[tried[:, g]] for g, c in enumerate(costs)), np.zeros(len(tried)))
                tried = tried[constant + spent <= 1 + ROUNDING]
        gains = self._live_totals(values, tried) - self._live_totals(values, picks[None])
        order = [int(row) for row in np.argsort(-gains, kind="stable") if gains[row] > _GAIN]
        return [(float(gains[row]), tried[row]) for row in order]

    def _exchanges(self, values: list[Table], picks: Picks) -> list[tuple[float, Picks]]:
        """Better picks that hold the budgets that add up, the best first."""
        exact = [j for j, budget in enumerate(self._budgets) if budget.adds_up]
        room = 1 + ROUNDING - self._spent(picks)
        gains = [value - value[pick] for value, pick in zip(values, picks, strict=True)]
        more = [
            [costs[group] - costs[group][pick] for costs in self._costs]
            for group, pick in enumerate(picks)
        ]
        found: list[tuple[float, Picks]] = []
        for group, gain in enumerate(gains):
            fits = _all(gain > _GAIN, (more[group][j] <= room[j] for j in exact))
            for pick in np.flatnonzero(fits):
                found.append((float(gain[pick]), _with(picks, {group: int(pick)})))
        for one, other in combinations(range(len(gains)), 2):
            gain = gains[one][:, None] + gains[other][None, :]
            spent = (more[one][j][:, None] + more[other][j][None, :] <= room[j] for j in exact)
            gain = np.where(_all(gain > _GAIN, spent), gain, -np.inf)
            first, second = np.unravel_index(int(gain.argmax()), gain.shape)
            if np.isfinite(gain[first, second]):
                both = {one: int(first), other: int(second)}
                found.append((float(gain[first, second]), _with(picks, both)))
        return sorted(found, key=lambda pair: -pair[0])

    def _admits(self, picks: Picks) -> bool:
        """Whether the network is within all budgets, exactly, and uses the image."""
        key = tuple(int(pick) for pick in picks)
        if key not in self._admitted:
            self._admitted[key] = self._asked(picks)
        return self._admitted[key]

    def _asked(self, picks: Picks) -> bool:
        if not self._choices.connected(picks[None])[0]:
            return False
        spent = self._spent(picks)
        if any(b.adds_up and not within(s) for b, s in zip(self._budgets, spent, strict=True)):
            return False
        architecture = self._choices.architecture(picks)
        layout = self._choices.layout
        measured = (budget for budget in self._budgets if not budget.adds_up)
        return all(budget.holds(architecture) for budget in measured) and is_connected(
            layout.space, architecture, layout.size
        )


def _total(values: Sequence[Table], picks: Picks) -> float:
    return float(sum(value[pick] for value, pick in zip(values, picks, strict=True)))


def _beside(values: Sequence[Table], picks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Picks that differ in one group, where they take one of the next best ones."""
    for group, (value, pick) in enumerate(zip(values, picks, strict=True)):
        worse = np.flatnonzero((value <= value[pick]) & (np.arange(len(value)) != pick))
        for other in worse[np.argsort(-value[worse], kind="stable")[:_NEXT]]:
            yield (*picks[:group], int(other), *picks[group + 1 :])


def _with(picks: Picks, changed: dict[int, int]) -> Picks:
    other = picks.copy()
    for group, pick in changed.items():
        other[group] = pick
    return other


def _all(first: NDArray[np.bool_], rest: Iterator[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    for one in rest:
        first = first & one
    return first
