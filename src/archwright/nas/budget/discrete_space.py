"""Discrete search space: an architecture is one pick in each of several groups.

Where a node keeps all its edges, each edge is a group and its candidates are the picks; where it
keeps k, the node is a group, and a pick is k of its edges with a candidate on each. Scores and
costs that add up over edges add up over groups.

Legend: N architectures, G groups, P picks of a group, E decisions, O candidates of the largest
decision (smaller ones are padded).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from archwright.cost.expected.decision_table import CellTopology, DecisionTable
from archwright.graph import Architecture, CellGenotype, EdgeOp, decision_name
from archwright.spaces import CellSpec, EdgeSpec

Table = NDArray[np.float64]
Assignments = NDArray[np.intp]
"""Number of the pick in each group: [G], or [N, G]."""

ENUMERABLE = 200_000
"""Largest number of architectures that are enumerated."""

_Places = tuple[tuple[int, int], ...]
"""Rows and columns of [E, O] that a pick takes."""


@dataclass(frozen=True)
class DiscreteSpace:
    """Picks of a space, or of the part of it that is `allowed`.

    `allowed` gives the remaining candidates of each decision, by name; None: all.
    """

    table: DecisionTable
    allowed: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def groups(self) -> tuple[tuple[_Places, ...], ...]:
        """Entries that each pick takes, for each group."""
        found: list[tuple[_Places, ...]] = []
        for kind, spec in self.table.space.skeleton.cells(self.table.size).items():
            for node in spec.inner():
                found += self._node(kind, spec, node)
        return tuple(found)

    def _node(self, kind: str, spec: CellSpec, node: int) -> Iterator[tuple[_Places, ...]]:
        edges = [self._edge(kind, spec, edge) for edge in spec.into(node)]
        if spec.keep is None:
            yield from (tuple((place,) for place in edge) for edge in edges)
            return
        kept = min(spec.keep, len(edges))
        yield tuple(places for some in combinations(edges, kept) for places in product(*some))

    def _edge(self, kind: str, spec: CellSpec, edge: EdgeSpec) -> list[tuple[int, int]]:
        name = decision_name(kind, edge.source, edge.target)
        outcomes = self.table.space.outcomes(spec, edge)
        left = outcomes if self.allowed is None else self.allowed.get(name, ())
        return [self.table.at(name, candidate) for candidate in outcomes if candidate in left]

    @cached_property
    def count(self) -> int:
        """Number of architectures, connected or not."""
        return math.prod(len(group) for group in self.groups)

    @cached_property
    def all(self) -> Assignments:
        """Every architecture [N, G]; use it only where `count` is small."""
        sizes = [len(group) for group in self.groups]
        return np.stack(np.unravel_index(np.arange(self.count), sizes), axis=1)

    def values(self, table: Table) -> list[Table]:
        """Return the sum of a table [E, O] over the entries of each pick: G vectors [P]."""
        return [
            np.array([sum(float(table[at]) for at in places) for places in group])
            for group in self.groups
        ]

    @cached_property
    def _open(self) -> list[NDArray[np.bool_]]:
        """Edges that each pick makes connecting [P, E], for each group."""
        connecting = self.table.connecting.numpy() > 0
        found: list[NDArray[np.bool_]] = []
        for group in self.groups:
            edges = np.zeros((len(group), len(connecting)), dtype=bool)
            for pick, places in enumerate(group):
                for at in places:
                    edges[pick, at[0]] = connecting[at]
            found.append(edges)
        return found

    @cached_property
    def none_ops(self) -> tuple[int | None, ...]:
        """Pick of `none` on the group's only edge, for each group; None: there is no such pick."""
        connecting = self.table.connecting.numpy() > 0
        return tuple(
            next((n for n, places in enumerate(g) if [connecting[p] for p in places] == [0]), None)
            for g in self.groups
        )

    def _opened(self, picks: Assignments) -> NDArray[np.bool_]:
        """Return which edges connect [N, E], of picks [N, G]."""
        edges = np.zeros((len(picks), len(self.table.decisions)), dtype=bool)
        for group, opened in enumerate(self._open):
            edges |= opened[picks[:, group]]
        return edges

    def connected(self, picks: Assignments) -> NDArray[np.bool_]:
        """Return whether every cell connects its inputs to its output [N], of picks [N, G]."""
        edges = self._opened(picks)
        through = np.ones(len(picks), dtype=bool)
        for cell in self.table.cells:
            through &= _fed(cell, edges)[:, list(cell.spec.output)].any(axis=1)
        return through

    def live(self, picks: Assignments) -> NDArray[np.bool_]:
        """Return which edges are live [N, E]: on a path through their cell; of picks [N, G]."""
        edges = self._opened(picks)
        found = np.zeros_like(edges)
        for cell in self.table.cells:
            fed = _fed(cell, edges)
            used = np.zeros_like(fed)
            used[:, list(cell.spec.output)] = True
            for row, source, target in reversed(cell.edges):
                used[:, source] |= edges[:, row] & used[:, target]
            for row, source, target in cell.edges:
                found[:, row] = edges[:, row] & fed[:, source] & used[:, target]
        return found

    def live_totals(self, scores: Table, picks: Assignments) -> Table:
        """Return the sums [N] of scores [E, O] over live edges, of picks [N, G]."""
        live, total = self.live(picks), np.zeros(len(picks))
        for group, value in enumerate(self.values(scores)):
            taken = value[picks[:, group]]
            if self.none_ops[group] is not None:  # an edge of its own
                taken = np.where(live[:, self.groups[group][0][0][0]], taken, 0.0)
            total += taken
        return total

    def bare(self, picks: Assignments) -> Assignments:
        """Return picks [G] of the same network, with `none` on edges that are not live."""
        live = self.live(picks[None])[0]
        bare = picks.copy()
        for group, none_op in enumerate(self.none_ops):
            if none_op is not None and not live[self.groups[group][none_op][0][0]]:
                bare[group] = none_op
        return bare

    def exchanges(self, picks: Assignments) -> Iterator[Assignments]:
        """Yield picks [G] that differ in one group, in the order of groups and picks."""
        for group, places in enumerate(self.groups):
            for pick in range(len(places)):
                if pick != picks[group]:
                    other = picks.copy()
                    other[group] = pick
                    yield other

    def places(self, picks: Assignments) -> list[tuple[int, int]]:
        """Return the rows and columns of [E, O] that picks [G] take."""
        return [at for group, pick in zip(self.groups, picks, strict=True) for at in group[pick]]

    def picks_at(self, places: set[tuple[int, int]]) -> Assignments | None:
        """Return the picks [G] that take these rows and columns of [E, O]; None: none do."""
        found: list[int] = []
        for group in self.groups:
            here = [pick for pick, taken in enumerate(group) if places.issuperset(taken)]
            if not here:
                return None
            found.append(here[0])
        return np.array(found)

    def columns(self, picks: Assignments) -> Assignments:
        """Return the candidate of each edge [N, E], of picks [N, G]; -1: the edge is not kept."""
        found = np.full((len(picks), len(self.table.decisions)), -1)
        for group, alternatives in enumerate(self.groups):
            for pick, places in enumerate(alternatives):
                taken = picks[:, group] == pick
                for row, column in places:
                    found[taken, row] = column
        return found

    @cached_property
    def offered(self) -> NDArray[np.bool_]:
        """Candidates [E, O] that some pick takes."""
        found = np.zeros(tuple(self.table.zeros().shape), dtype=bool)
        for group in self.groups:
            for places in group:
                for at in places:
                    found[at] = True
        return found

    def architecture(self, picks: Sequence[int] | Assignments) -> Architecture:
        """Return the architecture of picks [G]."""
        taken: dict[str, str] = {}
        for group, pick in zip(self.groups, picks, strict=True):
            for row, column in group[pick]:
                decision = self.table.decisions[row]
                taken[decision.name] = decision.candidates[column]
        space = self.table.space
        kinds = space.skeleton.cells(self.table.size)
        cells = {kind: _genotype(kind, spec, taken) for kind, spec in kinds.items()}
        return Architecture(space.name, cells, space.origin)

    def picks(self, architecture: Architecture) -> Assignments | None:
        """Return the picks of an architecture; None if it has a candidate that is not allowed."""
        return self.picks_at({self.table.at(*one) for one in architecture.answers().items()})


def _fed(cell: CellTopology, edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the nodes of a cell that its inputs reach [N, nodes], by connecting edges [N, E]."""
    fed = np.zeros((len(edges), cell.spec.inputs + cell.spec.nodes), dtype=bool)
    fed[:, : cell.spec.inputs] = True
    for row, source, target in cell.edges:
        fed[:, target] |= edges[:, row] & fed[:, source]
    return fed


def _genotype(kind: str, spec: CellSpec, taken: Mapping[str, str]) -> CellGenotype:
    nodes: list[tuple[EdgeOp, ...]] = []
    for node in spec.inner():
        names = ((decision_name(kind, edge.source, node), edge) for edge in spec.into(node))
        nodes.append(tuple(EdgeOp(taken[n], edge.source) for n, edge in names if n in taken))
    return CellGenotype(spec.inputs, tuple(nodes), spec.output)
