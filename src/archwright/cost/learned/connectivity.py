"""What compilers see of a graph: counts of candidates by how they are connected.

Which parts of a network are run, fused or folded away depends on what feeds them, what reads them
and what is beside them, and differs from compiler to compiler. These features tell such cases
apart. Each is a sum of products of weights, so that it is differentiable, exact at one-hot weights,
and between them what is expected if all edges were independent.

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
    """The features of a space's architectures at one size."""

    layout: DecisionTable

    def __call__(self, weights: Tensor) -> Groups:
        """The features of weights [..., E, O]."""
        places = self._places(weights)
        groups = {name: table.flatten(-2) for name, table in places.items()}
        sums = (self._summed(table) for table in places.values())
        live = self.layout.live(weights)
        return {
            **groups,
            "sums": torch.cat(list(sums), dim=-1),
            "joins": torch.cat([self._joins(weights), self._joins(live)], dim=-1),
            "heads": self._shared(live),
        }

    def _places(self, weights: Tensor) -> dict[str, Tensor]:
        """Weights [..., E, O] as far as their edges are connected so and so."""
        around = self._around(weights)
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

    def _around(self, weights: Tensor) -> Tensor:
        """Of each edge [..., E, 4]: whether something reaches it, whether its end is used, whether
        nothing else ends there, and whether anything goes through its cell.
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

    def _summed(self, table: Tensor) -> Tensor:
        """A table [..., E, O] as sums over the edges of a kind, a column for each candidate."""
        return torch.einsum("...eo,eof->...f", table, self._kinds.to(table))

    @cached_property
    def _kinds(self) -> Tensor:
        """[E, O, F]: 1 where a candidate stands in cells of a kind."""
        layout = self.layout
        names = list(layout.space.candidates)
        found = torch.zeros(*layout.zeros().shape, len(layout.cells) * len(names))
        for number, cell in enumerate(layout.cells):
            for row, _, _ in cell.edges:
                for column, name in enumerate(layout.decisions[row].candidates):
                    found[row, column, number * len(names) + names.index(name)] = 1.0
        return found

    def _joins(self, weights: Tensor) -> Tensor:
        """The additions at each node, and in all cells of a kind [..., F]."""
        flow = self._flow(weights)
        found: list[Tensor] = []
        for cell in self.layout.cells:
            nodes = [self._additions(cell, node, flow) for node in cell.spec.inner()]
            found += [*nodes, torch.stack(nodes).sum(dim=0)]
        return torch.stack(found, dim=-1)

    def _additions(self, cell: CellTopology, node: int, flow: Tensor) -> Tensor:
        """Summands of a node less one, if there are any."""
        rows = [row for row, _, target in cell.edges if target == node]
        none = (1 - flow[..., rows]).prod(dim=-1)
        return flow[..., rows].sum(dim=-1) - (1 - none)

    def _shared(self, live: Tensor) -> Tensor:
        """Modules without weights that would be run once, by those who share: for every beginning
        of candidates, at how many nodes any candidate begins so [..., F], and at each of them.
        """
        found: list[Tensor] = []
        for places in self._beginnings:
            nodes = [
                1 - torch.stack([1 - live[..., row, column] for row, column in some]).prod(dim=0)
                for some in places
            ]
            found += [*nodes, torch.stack(nodes).sum(dim=0)]
        return torch.stack(found, dim=-1) if found else live.new_zeros(*live.shape[:-2], 0)

    @cached_property
    def _beginnings(self) -> list[list[list[tuple[int, int]]]]:
        """For each beginning, for each node of each kind, the candidates that begin so there."""
        layout = self.layout
        known: dict[tuple[str, tuple[Primitive, ...]], dict[int, list[tuple[int, int]]]] = {}
        bodies = {
            layout.at(decision, p.name): p.body
            for decision, p in searchable_and_fixed(layout.network)[0]
        }
        for kind, cell in layout.kinds.items():
            for row, source, _ in cell.edges:
                for column in range(len(layout.decisions[row].candidates)):
                    for beginning in _beginnings(bodies[row, column]):
                        nodes = known.setdefault((kind, beginning), {})
                        nodes.setdefault(source, []).append((row, column))
        return [list(nodes.values()) for nodes in known.values()]


def _beginnings(expr: Expr) -> list[tuple[Primitive, ...]]:
    """The series of modules without weights that an expression begins with, short ones first."""
    items = expr.items if isinstance(expr, Chain) else (expr,)
    found: list[tuple[Primitive, ...]] = []
    for item in items:
        if not isinstance(item, Op) or item.primitive.stateful or item.primitive.zero:
            break
        found.append((*(found[-1] if found else ()), item.primitive))
    return found
