"""Encoding of the graph of a space: local features of candidates, global features of edges.

Local features describe an operation node (a candidate on an edge): its type, its costs, and its
latency if one is known. Global features describe its position: depth, paths that lead over it, and
eigenvectors of the graph of the cell. All follow from the decision table, so every space has them.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded), F local
features, G global ones, V nodes of a cell.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import CellTopology, DecisionTable
from archwright.cost.expected.located_ops import searchable_and_fixed
from archwright.graph import INPUT, Cell

_CHARGE = 0.1
"""Phase q of a connection in the magnetic Laplacian, as a fraction of a turn."""
_EIGENVECTORS = 3
"""Number of eigenvectors per cell, the smoothest ones."""


@dataclass(frozen=True)
class Encoding:
    """Features of the graph of a space, float64, all between -1 and 1.

    `latency` [E, O] is an additive table of known or estimated latencies of the candidates, or
    None.
    """

    layout: DecisionTable
    latency: Tensor | None = None

    @cached_property
    def candidates(self) -> Tensor:
        """Local features [E, O, F]; those of padding are zeros."""
        layout = self.layout
        columns = [*_types(layout), *_sizes(layout)]
        if self.latency is not None:
            scale = self.latency.abs().max().clamp(min=1e-12)
            columns.append(self.latency.double() / scale)
        columns.append(layout.connecting)
        return torch.stack(columns, dim=-1) * layout.present[..., None]

    @cached_property
    def edges(self) -> Tensor:
        """Global features [E, G]."""
        layout = self.layout
        features: list[Tensor] = [torch.empty(0)] * len(layout.decisions)
        for cell in layout.cells:
            for (row, _, _), found in zip(cell.edges, topology(cell), strict=True):
                features[row] = found
        return torch.cat([torch.stack(features), _places(layout), _kinds(layout)], dim=1)

    @cached_property
    def upstream(self) -> Tensor:
        """Table [E, E]: uniform weights of edges (columns) into the source of the row's edge."""
        return _averaging(self._feeding)

    @cached_property
    def downstream(self) -> Tensor:
        """Table [E, E]: uniform weights of the edges out of the target of the row's edge."""
        return _averaging(self._feeding.T)

    @cached_property
    def siblings(self) -> Tensor:
        """Table [E, E]: uniform weights of the other edges into the target of the row's edge."""
        together = self.layout.zeros().new_zeros(self._feeding.shape)
        for cell in self.layout.cells:
            for row, _, target in cell.edges:
                for other, _, end in cell.edges:
                    together[row, other] = float(end == target and other != row)
        return _averaging(together)

    @cached_property
    def _feeding(self) -> Tensor:
        """Table [E, E]: 1 where the edge of the column ends in a node that the row's edge reads."""
        layout = self.layout
        number = len(layout.decisions)
        feeding = torch.zeros(number, number, dtype=torch.float64)
        ends: dict[str, list[int]] = {}
        for kind, cell in layout.kinds.items():
            ends[kind] = [row for row, _, target in cell.edges if target in cell.spec.output]
            for row, source, _ in cell.edges:
                for other, _, target in cell.edges:
                    feeding[row, other] = float(target == source)
        for kind, position, before in _between(layout):
            for row, source, _ in layout.kinds[kind].edges:
                if source == position:
                    feeding[row, ends[before]] = 1.0
        return feeding


def topology(cell: CellTopology) -> Tensor:
    """Return the global features of the edges of a cell [edges, G], in their order.

    They are depth and distance to the output by the longest path, the fraction of all paths that
    lead over the edge, the numbers of edges at both ends, and the eigenvectors at both ends.
    """
    spec = cell.spec
    last = spec.inputs + spec.nodes
    before, ways = [0.0] * last, [float(node < spec.inputs) for node in range(last)]
    after, rest = [0.0] * last, [float(node in spec.output) for node in range(last)]
    for _, source, target in cell.edges:
        before[target] = max(before[target], before[source] + 1)
        ways[target] += ways[source]
    for _, source, target in reversed(cell.edges):
        after[source] = max(after[source], after[target] + 1)
        rest[source] += rest[target]
    total = max(sum(ways[node] for node in spec.output), 1.0)
    depth = max(max(before), 1.0)
    many = max(len(cell.edges), 1)
    vectors = eigenvectors(last, [(source, target) for _, source, target in cell.edges])
    rows: list[Tensor] = []
    for _, source, target in cell.edges:
        beside = sum(end == target for _, _, end in cell.edges)
        leaving = sum(start == source for _, start, _ in cell.edges)
        place = (
            *(before[source] / depth, after[target] / depth, (target - source) / last),
            *(ways[source] * rest[target] / total, beside / many, leaving / many),
            *(float(source < spec.inputs), float(target in spec.output)),
        )
        rows.append(
            torch.cat([torch.tensor(place, dtype=torch.float64), vectors[source], vectors[target]])
        )
    return torch.stack(rows)


def eigenvectors(nodes: int, edges: Iterable[tuple[int, int]]) -> Tensor:
    """Return the smoothest eigenvectors of the magnetic Laplacian of a directed graph [V, 2 x 3].

    Real parts come first, then imaginary parts; zeros replace missing eigenvectors.

    L = 1 - D^-1/2 H D^-1/2, where H is exp(+-2 pi i q) along an edge and against it (Zhang et al.,
    MagNet, NeurIPS 2021, eq. 1 to 3). The plain Laplacian of a dense cell has one eigenvalue for
    all, so its eigenvectors carry no information; this one depends on the directions. The phase of
    a vector is arbitrary: its first large entry is made real and positive.
    """
    ends = torch.zeros(nodes, nodes, dtype=torch.float64)
    for source, target in edges:
        ends[source, target] = 1.0
    joined = torch.polar((ends + ends.T).clamp(max=1.0), 2 * math.pi * _CHARGE * (ends - ends.T))
    scale = joined.abs().sum(dim=1).clamp(min=1.0).rsqrt()
    laplacian = torch.eye(nodes, dtype=joined.dtype) - scale[:, None] * joined * scale
    _, vectors = torch.linalg.eigh(laplacian)
    found = torch.zeros(nodes, 2 * _EIGENVECTORS, dtype=torch.float64)
    for number, vector in enumerate(vectors.T[:_EIGENVECTORS]):
        large = vector.abs() > vector.abs().max() / 2
        first = vector[int(large.int().argmax())]
        vector = vector * first.conj() / first.abs()
        found[:, number], found[:, _EIGENVECTORS + number] = vector.real, vector.imag
    return found


def _types(layout: DecisionTable) -> list[Tensor]:
    """Return a table [E, O] for each candidate of the space: 1 at its positions."""
    tables = {name: layout.zeros() for name in layout.space.candidates}
    for row, decision in enumerate(layout.decisions):
        for column, name in enumerate(decision.candidates):
            tables[name][row, column] = 1.0
    return list(tables.values())


def _sizes(layout: DecisionTable) -> list[Tensor]:
    """Return tables [E, O] of the MACs, parameters, output features and modules over all cells.

    Each is in units of its largest value, and given again as a logarithm.
    """
    costs = [layout.zeros() for _ in range(4)]
    searched, _ = searchable_and_fixed(layout.network)
    for decision, place in searched:
        at = layout.at(decision, place.name)
        made = place.made
        values = (place.macs, place.params, math.prod(made), place.modules)
        for table, value in zip(costs, values, strict=True):
            table[at] += value
    scaled = [table / table.max().clamp(min=1.0) for table in costs]
    return scaled + [table.log1p() / table.max().log1p().clamp(min=1.0) for table in costs]


def _places(layout: DecisionTable) -> Tensor:
    """Return mean position and fraction of the cells of each edge's kind in the network [E, 2]."""
    cells = [step.body.kind for step in layout.network.steps if isinstance(step.body, Cell)]
    found = torch.zeros(len(layout.decisions), 2, dtype=torch.float64)
    for kind, cell in layout.kinds.items():
        own = [position for position, name in enumerate(cells) if name == kind]
        place = sum(own) / len(own) / max(len(cells) - 1, 1)
        for row, _, _ in cell.edges:
            found[row] = torch.tensor([place, len(own) / len(cells)])
    return found


def _kinds(layout: DecisionTable) -> Tensor:
    """Return a table [E, kinds]: 1 for the edges of a kind of cell."""
    found = torch.zeros(len(layout.decisions), len(layout.cells), dtype=torch.float64)
    for column, cell in enumerate(layout.cells):
        for row, _, _ in cell.edges:
            found[row, column] = 1.0
    return found


def _between(layout: DecisionTable) -> Iterable[tuple[str, int, str]]:
    """Return triples: kind of cell, input, and kind of cell that it reads through fixed steps."""
    reaching: dict[str, frozenset[str]] = {INPUT: frozenset()}
    found: dict[tuple[str, int, str], None] = {}
    for step in layout.network.steps:
        body = step.body
        if isinstance(body, Cell) and body.kind in layout.kinds:
            for position, name in enumerate(step.inputs):
                found |= {(body.kind, position, kind): None for kind in sorted(reaching[name])}
            reaching[step.name] = frozenset({body.kind})
        else:
            reaching[step.name] = frozenset().union(*(reaching[name] for name in step.inputs))
    return found


def _averaging(joined: Tensor) -> Tensor:
    """Divide each row by its sum; rows of zeros stay."""
    return joined / joined.sum(dim=1, keepdim=True).clamp(min=1.0)
