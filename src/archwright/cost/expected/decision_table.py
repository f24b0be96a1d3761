"""Decisions of a space at one size, as rows and columns of tables of weights.

Legend: N architectures, E decisions, O candidates of the largest decision (smaller ones are
padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from archwright.graph import Architecture, Decision, Network, decision_name
from archwright.graph.expr import is_zero
from archwright.spaces import CellSpec, Size, Space

EdgeFilter = Literal["picked", "used", "live"]
"""Edges that count: all picked edges; edges with a path to the output of their cell (used); or used
edges that also have a path from its input (live)."""


@dataclass(frozen=True)
class DecisionTable:
    """Decisions of a space at one size, and the topology of its cells."""

    space: Space
    size: Size

    @cached_property
    def network(self) -> Network:
        """Network with every decision open, and with the candidates of final networks."""
        return self.space.supernet(self.size, searched=False)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Decision of each row of tables [E, O]."""
        return self.network.decisions()

    @cached_property
    def row(self) -> dict[str, int]:
        """Row of each decision, by name."""
        return {decision.name: row for row, decision in enumerate(self.decisions)}

    def zeros(self) -> Tensor:
        """Return a table [E, O] of zeros, float64."""
        width = max(len(decision.candidates) for decision in self.decisions)
        return torch.zeros(len(self.decisions), width, dtype=torch.float64)

    def at(self, decision: str, candidate: str) -> tuple[int, int]:
        """Return row and column of a candidate."""
        row = self.row[decision]
        return row, self.decisions[row].candidates.index(candidate)

    def one_hot(self, architecture: Architecture) -> Tensor:
        """Return weights [E, O]: 1 for the picked candidates, 0 for edges that are not kept.

        Raises:
            GenotypeError: the architecture does not belong to the space at this size.
        """
        self.space.check(architecture, self.size)
        weights = self.zeros()
        for decision, candidate in architecture.answers().items():
            weights[self.at(decision, candidate)] = 1.0
        return weights

    def one_hots(self, architectures: Sequence[Architecture]) -> Tensor:
        """Return `one_hot` of each architecture, [N, E, O]."""
        return torch.stack([self.one_hot(one) for one in architectures])

    @cached_property
    def connecting(self) -> Tensor:
        """Table [E, O]: 1 for candidates that pass features on, 0 for `none` and padding."""
        found = self.zeros()
        for choice in self.network.choices():
            for option in choice.options:
                place = self.at(choice.decision.name, choice.label(option))
                found[place] = float(not is_zero(option.body))
        return found

    @cached_property
    def present(self) -> Tensor:
        """Table [E, O]: 1 for candidates, 0 for padding."""
        found = self.zeros()
        for row, decision in enumerate(self.decisions):
            found[row, : len(decision.candidates)] = 1.0
        return found

    @cached_property
    def kinds(self) -> dict[str, "CellTopology"]:
        """Topology of each kind of cell."""
        kinds = self.space.skeleton.cells(self.size)
        return {kind: _topology(kind, spec, self.row) for kind, spec in kinds.items()}

    @property
    def cells(self) -> tuple["CellTopology", ...]:
        """Topologies of all kinds of cells."""
        return tuple(self.kinds.values())

    def counted(self, weights: Tensor, which: "EdgeFilter") -> Tensor:
        """Return weights [..., E, O], each times the probability that `which` includes its edge.

        An edge is fed (used) with the probability that a path to it (from it) is connected, if all
        edges were independent. At one-hot weights this is exact: excluded edges get 0.
        """
        if which == "picked":
            return weights
        flow = (weights * self.connecting.to(weights)).sum(dim=-1)
        gates: list[Tensor] = [torch.zeros_like(flow[..., 0])] * len(self.decisions)
        for cell in self.cells:
            fed, used = cell.reached(flow)
            for row, source, target in cell.edges:
                gates[row] = used[target] if which == "used" else fed[source] * used[target]
        return weights * (torch.stack(gates, dim=-1)[..., None] * self.connecting.to(weights))

    def live(self, weights: Tensor) -> Tensor:
        """Return weights [..., E, O], each times the probability that its edge is live."""
        return self.counted(weights, "live")


@dataclass(frozen=True)
class CellTopology:
    """Topology of a kind of cell: its edges as (row, source, target), ordered by target."""

    spec: CellSpec
    edges: tuple[tuple[int, int, int], ...]

    def reached(self, flow: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each node the probabilities that an input reaches it, and that it reaches the
        output, for the weights [..., E] with which edges pass features on.
        """
        one = torch.ones_like(flow[..., 0])
        last = self.spec.inputs + self.spec.nodes
        unfed = [one * (node >= self.spec.inputs) for node in range(last)]
        unused = [one * (node not in self.spec.output) for node in range(last)]
        for row, source, target in self.edges:
            unfed[target] = unfed[target] * (1 - (1 - unfed[source]) * flow[..., row])
        for row, source, target in reversed(self.edges):
            unused[source] = unused[source] * (1 - (1 - unused[target]) * flow[..., row])
        return [1 - each for each in unfed], [1 - each for each in unused]


def _topology(kind: str, spec: CellSpec, rows: dict[str, int]) -> CellTopology:
    edges = sorted(
        (e.target, e.source, rows[decision_name(kind, e.source, e.target)]) for e in spec.edges
    )
    return CellTopology(spec, tuple((row, source, target) for target, source, row in edges))
