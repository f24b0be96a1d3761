"""MILP solver: the best architecture within budgets of a space too large to enumerate.

A mixed-integer linear program, solved by HiGHS (`scipy.optimize.milp`): a variable for each
candidate, a row for each budget that adds up. Its solution is optimal. A budget that does not add
up is a row of its surrogate, which is tightened until the exact cost is within the limit; the
solutions found are then improved by exchanges.

An edge counts only where it is on a path through its cell. So a candidate of an edge that can be
left out is taken only if the edge's source is fed and its target is used:

    x_eo <= fed_source(e),  x_eo <= used_target(e),
    fed_v <= sum over edges e into v of open_e,  used_v <= sum over edges e out of v of open_e,

and an output of each cell is fed. Cells are acyclic, so that no node feeds itself.

Legend: G groups, P picks of a group, J budgets, E decisions, O candidates of the largest decision,
V variables.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

from archwright.cost.contract import ROUNDING, within
from archwright.cost.expected.decision_table import CellTopology
from archwright.cost.expected.local_search import local_search
from archwright.graph import Architecture
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.discrete_space import Assignments, DiscreteSpace, Table
from archwright.spaces.discretise import is_connected

_HALVINGS = 6
"""Bisection steps in which the limit of a surrogate is tightened or loosened."""
_CHECKS = 60
"""Largest number of networks whose exact cost is computed in a round of exchanges."""
_GAIN = 1e-9

_Row = tuple[dict[int, float], float, float]
"""Coefficients by variable, and the bounds of their sum."""


class MilpSolver:
    """Architectures of a large space, as solutions of a mixed-integer linear program."""

    def __init__(
        self, choices: DiscreteSpace, budgets: Sequence[Budget], start: Architecture | None
    ) -> None:
        """Solve for `budgets`; `start` is an architecture within all of them, if one is known."""
        self._choices = choices
        self._exact = [budget for budget in budgets if budget.adds_up]
        self._fitted = [budget for budget in budgets if not budget.adds_up]
        self._admitted: dict[bytes, bool] = {}
        self.feasible_start = None if start is None else choices.picks(start)
        places = zip(*(axis.tolist() for axis in np.nonzero(choices.offered)), strict=True)
        self._places: list[tuple[int, int]] = list(places)
        self._variable = {place: number for number, place in enumerate(self._places)}
        self._count = len(self._places)
        connecting = choices.table.connecting.numpy() > 0
        self._open = {place for place in self._places if connecting[place]}
        self._rows = [*self._structure(), *(self._row(budget) for budget in self._exact)]

    def best(self, scores: Table) -> Architecture | None:
        """Return the architecture of the largest sum of scores [E, O] within all budgets.

        It is optimal where all budgets add up; otherwise it is the best one that was found. None:
        there is none, or none was found.
        """
        found = self._best(scores)
        return None if found is None else self._choices.architecture(found[0])

    def top(self, scores: Table, count: int) -> list[Architecture]:
        """Return up to `count` architectures within all budgets, the best first.

        They are exactly the best ones where all budgets add up; else the best one that was found
        and the next ones by the surrogate that held there.
        """
        found = self._best(scores)
        if found is None:
            return []
        best, rows = found
        listed = {best.tobytes(): best}
        rows = [*rows, self._cut(best)]
        for _ in range(2 * count + (_CHECKS if self._fitted else 0)):
            if len(listed) >= count:
                break
            picks = self._solve(scores, rows)
            if picks is None:
                break
            rows.append(self._cut(picks))
            if self._admits(picks):
                listed.setdefault(picks.tobytes(), picks)
        reached = sorted(listed.values(), key=lambda picks: -self._total(scores, picks))
        return [self._choices.architecture(picks) for picks in reached]

    def _best(self, scores: Table) -> tuple[Assignments, list[_Row]] | None:
        """Return the best picks, and the rows beside the structure that they were found under."""
        if not all(self._choices.groups):
            return None
        cuts: list[_Row] = []
        found = self._solve(scores, cuts)
        while found is not None and not self._fitted and not self._admits(found):
            cuts.append(self._cut(found))  # beyond a limit by the solver's tolerance
            found = self._solve(scores, cuts)
        if found is None or not self._fitted or self._admits(found):
            return None if found is None else (found, cuts)
        return self._tightened(scores, found)

    def _tightened(
        self, scores: Table, relaxed: Assignments
    ) -> tuple[Assignments, list[_Row]] | None:
        """Return the best picks where budgets that do not add up rule out the `relaxed` optimum.

        The limits of all surrogates are interpolated, by one common fraction, between their
        smallest values and those of the relaxed optimum; the fraction is found by bisection.
        """
        tables = [budget.cost.surrogate.table.numpy() / budget.limit for budget in self._fitted]
        least = [self._sum(table, self._solve(-table, [])) for table in tables]
        most = [self._sum(table, relaxed) for table in tables]
        low, high = 0.0, 1.0
        held: list[_Row] = []
        starts = [] if self.feasible_start is None else [self.feasible_start]
        for part in [0.0, *[None] * _HALVINGS]:
            at = (low + high) / 2 if part is None else part
            rows: list[_Row] = [
                (self._coefficients(table), -np.inf, a + at * (b - a) + ROUNDING)
                for table, a, b in zip(tables, least, most, strict=True)
            ]
            picks = self._solve(scores, rows)
            if picks is not None and self._admits(picks):
                low, held = at, rows
                starts.append(picks)
            elif part is None:
                high = at
        ends = [self._climbed(scores, picks) for picks in starts[:1] + starts[-2:]]
        if not ends:
            return None
        return max(ends, key=lambda picks: self._total(scores, picks)), held

    def _climbed(self, scores: Table, picks: Assignments) -> Assignments:
        """Return the picks that hill climbing by exchanges of one group's pick ends at."""
        totals = {picks.tobytes(): self._total(scores, picks)}

        def loss(state: Assignments) -> float:
            return -totals[state.tobytes()] if self._admits(state) else np.inf

        def neighbours(state: Assignments) -> Iterator[Assignments]:
            state = self._bare(state)  # an edge that leads nowhere takes no budget from the rest
            tried = np.array(list(self._choices.exchanges(state)))
            reached = self._choices.live_totals(scores, tried)
            now = self._total(scores, state)
            for row in np.argsort(-reached, kind="stable"):
                if reached[row] > now + _GAIN:
                    totals[tried[row].tobytes()] = float(reached[row])
                    yield tried[row]

        _, end = local_search(picks, loss, neighbours, gain=_GAIN, first_of=_CHECKS)
        return self._bare(end)

    def _bare(self, picks: Assignments) -> Assignments:
        """Return the same network with `none` on edges that are not live, if it is admitted."""
        bare = self._choices.bare(picks)
        return bare if self._admits(bare) else picks

    def _solve(self, scores: Table, rows: Iterable[_Row]) -> Assignments | None:
        """Return the picks [G] of the largest sum of scores [E, O]; None: there are none."""
        every = [*self._rows, *rows]
        data = [value for row, _, _ in every for value in row.values()]
        across = [variable for row, _, _ in every for variable in row]
        down = [number for number, (row, _, _) in enumerate(every) for _ in row]
        matrix = coo_matrix((data, (down, across)), shape=(len(every), self._count)).tocsr()
        lower, upper = (np.array([row[side] for row in every]) for side in (1, 2))
        goal, integral = np.zeros(self._count), np.zeros(self._count)
        goal[: len(self._places)] = [-scores[place] for place in self._places]
        integral[: len(self._places)] = 1
        found = milp(
            goal,
            constraints=LinearConstraint(matrix, lower, upper),  # pyright: ignore[reportArgumentType]
            integrality=integral,
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            return None
        taken = {place for place, value in zip(self._places, found.x, strict=False) if value > 0.5}
        return self._choices.picks_at(taken)

    def _structure(self) -> Iterator[_Row]:
        """Yield the rows under which variables describe a connected architecture."""
        for cell in self._choices.table.cells:
            for node in cell.spec.inner():
                edges = [row for row, _, target in cell.edges if target == node]
                kept = cell.spec.keep
                for edge in edges:
                    yield self._all_of(edge), 0 if kept else 1, 1
                if kept:
                    into = {v: 1.0 for edge in edges for v in self._all_of(edge)}
                    yield into, min(kept, len(edges)), min(kept, len(edges))
            if any(self._may_close(row) for row, _, _ in cell.edges):
                yield from self._flow(cell)

    def _flow(self, cell: CellTopology) -> Iterator[_Row]:
        """Yield the rows by which an edge that can be left out is live, or left out."""
        last = cell.spec.inputs + cell.spec.nodes
        fed = {node: self._new() for node in range(cell.spec.inputs, last)}
        used = {node: self._new() for node in range(last) if node not in cell.spec.output}
        ends = {
            **{("fed", v): n for v, n in fed.items()},
            **{("used", v): n for v, n in used.items()},
        }
        total: dict[tuple[str, int], dict[int, float]] = {end: {} for end in ends}
        for row, source, target in cell.edges:
            opened = {v: 1.0 for v in self._all_of(row) if self._places[v] in self._open}
            for here, there in (
                (("fed", source), ("fed", target)),
                (("used", target), ("used", source)),
            ):
                way = opened
                if here in ends and self._may_close(row):
                    yield {**opened, ends[here]: -1.0}, -np.inf, 0
                elif here in ends:  # it stands open, and passes on what it gets
                    way = {self._new(): 1.0}
                    yield {**way, **dict.fromkeys(opened, -1.0)}, -np.inf, 0
                    yield {**way, ends[here]: -1.0}, -np.inf, 0
                if there in ends:
                    total[there].update(dict.fromkeys(way, -1.0))
        for end, variable in ends.items():
            yield {variable: 1.0, **total[end]}, -np.inf, 0
        if not any(node < cell.spec.inputs for node in cell.spec.output):
            yield {fed[node]: 1.0 for node in cell.spec.output}, 1, np.inf

    def _new(self) -> int:
        self._count += 1
        return self._count - 1

    def _all_of(self, row: int) -> dict[int, float]:
        """Return the variables of an edge's candidates."""
        return {v: 1.0 for v, place in enumerate(self._places) if place[0] == row}

    def _may_close(self, row: int) -> bool:
        return any(place[0] == row and place not in self._open for place in self._places)

    def _row(self, budget: Budget) -> _Row:
        surrogate = budget.cost.surrogate
        room = 1 + ROUNDING - surrogate.constant / budget.limit
        return self._coefficients(surrogate.table.numpy() / budget.limit), -np.inf, room

    def _coefficients(self, table: Table) -> dict[int, float]:
        return {v: float(table[place]) for place, v in self._variable.items() if table[place]}

    def _cut(self, picks: Assignments) -> _Row:
        """Return the row that excludes one architecture."""
        places = self._choices.places(picks)
        return {self._variable[place]: 1.0 for place in places}, -np.inf, len(places) - 1

    def _sum(self, table: Table, picks: Assignments | None) -> float:
        return 0.0 if picks is None else sum(float(table[at]) for at in self._choices.places(picks))

    def _total(self, scores: Table, picks: Assignments) -> float:
        return float(self._choices.live_totals(scores, picks[None])[0])

    def _admits(self, picks: Assignments) -> bool:
        """Return whether the network is within all budgets by exact cost, and reads the image."""
        key = picks.tobytes()
        if key not in self._admitted:
            self._admitted[key] = self._costed(picks)
        return self._admitted[key]

    def _costed(self, picks: Assignments) -> bool:
        if not self._choices.connected(picks[None])[0]:
            return False
        for budget in self._exact:
            surrogate = budget.cost.surrogate
            spent = surrogate.constant + self._sum(surrogate.table.numpy(), picks)
            if not within(spent / budget.limit):
                return False
        architecture, table = self._choices.architecture(picks), self._choices.table
        return all(budget.holds(architecture) for budget in self._fitted) and is_connected(
            table.space, architecture, table.size
        )
