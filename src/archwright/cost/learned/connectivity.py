"""Connectivity features: counts of candidates by their connections in the graph.

Compilers run, fuse or remove an operation depending on its inputs, its readers and its siblings,
and each compiler in its own way. The features distinguish these cases. Each is a sum of products of
weights: it is differentiable, exact at one-hot weights, and otherwise the expected count if all
edges were independent.

Legend: E decisions, O candidates of the largest decision (smaller ones are padded), F features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from archwright.cost.expected.decision_table import CellTopology, DecisionTable
from archwright.cost.expected.located_ops import searchable_and_fixed
from archwright.graph import Chain, Expr, Op, Primitive

Groups = Mapping[str, Tensor]
"""Features [..., F] by the name of their group."""


@dataclass(frozen=True)
class ConnectivityFeatures:
    """Connectivity features of the architectures of a space at one size."""

    layout: DecisionTable

    def __call__(self, weights: Tensor) -> Groups:
        """Return the features of weights [..., E, O]."""
        places = self._by_connection(weights)
        groups = {name: table.flatten(-2) for name, table in places.items()}
        sums = (self._sum_by_kind(table) for table in places.values())
        live = self.layout.live(weights)
        return {
            **groups,
            "sums": torch.cat(list(sums), dim=-1),
            "joins": torch.cat(
                [self._addition_counts(weights), self._addition_counts(live)], dim=-1
            ),
            "heads": self._shared_prefixes(live),
        }

    def _by_connection(self, weights: Tensor) -> dict[str, Tensor]:
        """Return weights [..., E, O] times the probability of a connection, by name of the kind."""
        around = self._edge_states(weights)
        fed, used, alone, through = (around[..., None, number] for number in range(4))
        found = {
            "picked": weights,
            "fed": weights * fed,
            "used": weights * used,
            "live": weights * fed * used,
        }
        found |= {f"{name}, alone": table * alone for name, table in found.items()}
        found |= {f"{name}, through": found[name] * through for name in ("picked", "used")}
        return found | {
            f"{name}, through": found[name] * through for name in ("picked, alone", "used, alone")
        }

    def _edge_states(self, weights: Tensor) -> Tensor:
        """Return four probabilities of each edge [..., E, 4].

        They are: the edge is fed, its target is used, no other edge into its target is connected,
        and its cell has a path from input to output.
        """
        flow = self._flow(weights)
        columns: list[Tensor] = [torch.empty(0)] * flow.shape[-1]
        for cell in self.layout.cells:
            fed, used = cell.reached(flow)
            cut = torch.ones_like(flow[..., 0])
            for node in cell.spec.output:
                cut = cut * (1 - fed[node])
            for row, source, target in cell.edges:
                alone = torch.ones_like(cut)
                for other, _, end in cell.edges:
                    if end == target and other != row:
                        alone = alone * (1 - flow[..., other])
                columns[row] = torch.stack([fed[source], used[target], alone, 1 - cut], dim=-1)
        return torch.stack(columns, dim=-2)

    def _flow(self, weights: Tensor) -> Tensor:
        return (weights * self.layout.connecting.to(weights)).sum(dim=-1)

    def _sum_by_kind(self, table: Tensor) -> Tensor:
        """Return sums of a table [..., E, O] over the edges of a kind, for each candidate."""
        return torch.einsum("...eo,eof->...f", table, self._kinds.to(table))

    @cached_property
    def _kinds(self) -> Tensor:
        """Table [E, O, F]: 1 for a candidate (with a kind of cell) of the feature."""
        layout = self.layout
        names = list(layout.space.candidates)
        found = torch.zeros(*layout.zeros().shape, len(layout.cells) * len(names))
        for number, cell in enumerate(layout.cells):
            for row, _, _ in cell.edges:
                for column, name in enumerate(layout.decisions[row].candidates):
                    found[row, column, number * len(names) + names.index(name)] = 1.0
        return found

    def _addition_counts(self, weights: Tensor) -> Tensor:
        """Return the number of additions at each node, and in each kind of cell [..., F]."""
        flow = self._flow(weights)
        found: list[Tensor] = []
        for cell in self.layout.cells:
            nodes = [self._additions(cell, node, flow) for node in cell.spec.inner()]
            found += [*nodes, torch.stack(nodes).sum(dim=0)]
        return torch.stack(found, dim=-1)

    def _additions(self, cell: CellTopology, node: int, flow: Tensor) -> Tensor:
        """Return the number of summands of a node minus one, or 0 if there are none."""
        rows = [row for row, _, target in cell.edges if target == node]
        none = (1 - flow[..., rows]).prod(dim=-1)
        return flow[..., rows].sum(dim=-1) - (1 - none)

    def _shared_prefixes(self, live: Tensor) -> Tensor:
        """Return the number of modules without weights that run once if shared: for each prefix of
        candidates, whether a candidate at a node has it, for each node, and the sum [..., F].
        """
        found: list[Tensor] = []
        for places in self._prefixes:
            nodes = [
                1 - torch.stack([1 - live[..., row, column] for row, column in some]).prod(dim=0)
                for some in places
            ]
            found += [*nodes, torch.stack(nodes).sum(dim=0)]
        return torch.stack(found, dim=-1) if found else live.new_zeros(*live.shape[:-2], 0)

    @cached_property
    def _prefixes(self) -> list[list[list[tuple[int, int]]]]:
        """Candidates (row, column) with each prefix, for each node of each kind of cell."""
        layout = self.layout
        known: dict[tuple[str, tuple[Primitive, ...]], dict[int, list[tuple[int, int]]]] = {}
        bodies = {
            layout.at(decision, p.name): p.body
            for decision, p in searchable_and_fixed(layout.network)[0]
        }
        for kind, cell in layout.kinds.items():
            for row, source, _ in cell.edges:
                for column in range(len(layout.decisions[row].candidates)):
                    for prefix in _prefixes(bodies[row, column]):
                        nodes = known.setdefault((kind, prefix), {})
                        nodes.setdefault(source, []).append((row, column))
        return [list(nodes.values()) for nodes in known.values()]


def _prefixes(expr: Expr) -> list[tuple[Primitive, ...]]:
    """Return the prefixes of an expression that have no weights, short ones first."""
    items = expr.items if isinstance(expr, Chain) else (expr,)
    found: list[tuple[Primitive, ...]] = []
    for item in items:
        if not isinstance(item, Op) or item.primitive.stateful or item.primitive.zero:
            break
        found.append((*(found[-1] if found else ()), item.primitive))
    return found
