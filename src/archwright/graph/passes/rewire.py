"""Rewiring: delete nodes of cells, and connect their predecessors to their successors.

NR-DARTS, after its abstract: deleting a node removes the operations that lead into it; each
of its successors, the cell's output being one, takes the node's predecessors instead, added up by
a learned linear aggregation and recalibrated, and applies its own operation as before. All
widths and resolutions stay. The replacement of a node is made of ordinary nodes:

    h_v = sum_p op_p(h_p)   becomes, for each successor s,   f_s = SE_s(sum_p a_sp h_p)

Where a predecessor is deleted too, its own predecessors take its place, so that the order in which
nodes are deleted does not matter. The pass changes the function; with nothing to delete and no
gates it changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from typing_extensions import override

from archwright.errors import GenotypeError, GraphError
from archwright.graph.expr import Expr, Op, chain, is_zero
from archwright.graph.network import Cell, Edge, Network, Step
from archwright.graph.ops import Scale, SqueezeExcite, Subsample
from archwright.graph.passes.contract import DISCRETE, SAME_SHAPES, Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report, listed
from archwright.graph.primitive import Shape
from archwright.graph.pruning import Node, Pruning
from archwright.graph.traverse import node_shapes, walk_network

OUTPUT = "output"
"""Name of a cell's output as a successor."""


def gate_slot(step: str, node: int) -> str:
    """Return the slot of the gate on a node."""
    return f"{step}/gate{node}"


def fusion_slot(step: str, node: int, successor: int | str) -> str:
    """Return the prefix of the slots of a deleted node's replacement for a successor."""
    return f"{step}/fusion{node}->{successor}"


def weight_slot(step: str, node: int, successor: int | str, source: int) -> str:
    """Return the slot of the weight of `source` for a successor of a deleted node."""
    return f"{fusion_slot(step, node, successor)}/from{source}"


def parse_weight_slot(slot: str) -> Node | None:
    """Return the deleted node of a slot of `weight_slot`; None for other slots."""
    match = re.fullmatch(rf"(.+)/fusion([0-9]+)->(?:[0-9]+|{OUTPUT})/from[0-9]+", slot)
    return (match[1], int(match[2])) if match else None


def deletable(network: Network) -> tuple[Node, ...]:
    """Return the nodes that can be deleted, in the order of evaluation.

    The sources of their live edges can be brought to their shape by a stride alone.
    """
    return tuple((site.step, node) for site in _sites(network) for node in site.deletable())


@register
@dataclass(frozen=True)
class Rewiring(Pass):
    """Removal of the nodes that `pruning` deletes, with gates on the others if it is gated.

    The remaining modules keep their slots, and so their weights.

    Raises:
        GenotypeError: the network has no such cell or node, or a node cannot be replaced.
    """

    pruning: Pruning

    name = "rewiring"
    kind = "structural"
    requires = (DISCRETE,)
    ensures = (DISCRETE,)
    keeps = (SAME_SHAPES,)
    idempotent = False

    @override
    def apply(self, network: Network, report: Report) -> Network:
        sites = {site.step: site for site in _sites(network)}
        _check(sites, self.pruning)

        def rewired(step: Step) -> Step:
            cell = step.body
            if step.name not in sites or not isinstance(cell, Cell):
                return step
            if deleted := sorted(self.pruning.of(step.name, cell.kind)):
                text = f"without {listed(f'node {node}' for node in deleted)}"
                report(Diagnostic(self.name, True, step.name, text))
            return replace(step, body=_Rewiring(sites[step.name], self.pruning).cell())

        return replace(network, steps=tuple(map(rewired, network.steps)))


def rewire(network: Network, pruning: Pruning) -> Network:
    """Return `network` without the nodes that `pruning` deletes.

    Raises:
        GenotypeError: as `Rewiring`.
        GraphError: the network is not valid, or not discrete.
    """
    return Rewiring(pruning)(network).network


@dataclass(frozen=True)
class _Site:
    """Cell in its network, with the shapes of its nodes."""

    step: str
    cell: Cell
    shapes: tuple[Shape, ...]

    def predecessors(self, node: int) -> tuple[int, ...]:
        """Return the sources of a node's live edges, each once."""
        live = (edge.source for edge in self.cell.into(node) if not is_zero(edge.body))
        return tuple(dict.fromkeys(live))

    def bridge(self, source: int, node: int) -> Expr | None:
        """Return the expression from `source` to a node's shape; None: a stride is not enough."""
        given, wanted = self.shapes[source], self.shapes[node]
        if given == wanted:
            return chain()
        steps = (-(-size // less) for size, less in zip(given[1:], wanted[1:], strict=True))
        stride = Subsample(max(steps))
        return chain(stride) if stride.out_shape(given) == wanted else None

    def deletable(self) -> tuple[int, ...]:
        """Return the nodes that their predecessors can replace."""
        nodes: list[int] = []
        for node in self.cell.inner():
            before = self.predecessors(node)
            if before and all(self.bridge(source, node) is not None for source in before):
                nodes.append(node)
        return tuple(nodes)


def _sites(network: Network) -> list[_Site]:
    shapes = walk_network(network)
    return [
        _Site(step.name, cell, tuple(node_shapes(cell, [shapes[name] for name in step.inputs])))
        for step in network.steps
        if isinstance(cell := step.body, Cell)
    ]


def _check(sites: Mapping[str, _Site], pruning: Pruning) -> None:
    """Check that every node to delete exists, and can be deleted."""
    kinds = {site.cell.kind for site in sites.values()}
    unknown = sorted({place for place, _ in pruning.deleted} - kinds - set(sites))
    if unknown:
        raise GenotypeError(
            f"nodes of {unknown[0]} are pruned, and this network has no such cell (of "
            f"{len(sites)}): build it with as many cells as it was pruned with"
        )
    for site in sites.values():
        allowed = site.deletable()
        for node in sorted(pruning.of(site.step, site.cell.kind) - set(allowed)):
            raise GenotypeError(
                f"node {node} of {site.step} cannot be deleted: no features of its shape lead into "
                f"it; nodes that can be deleted: {', '.join(map(str, allowed)) or 'none'}"
            )


@dataclass
class _Rewiring:
    """Cell under construction; `places` gives the new number of each kept node."""

    site: _Site
    pruning: Pruning
    edges: list[Edge] = field(default_factory=list[Edge])
    places: dict[int, int] = field(default_factory=dict[int, int])
    fused: dict[tuple[int, int | str], int] = field(
        default_factory=dict[tuple[int, int | str], int]
    )

    def __post_init__(self) -> None:
        cell = self.site.cell
        self.deleted = self.pruning.of(self.site.step, cell.kind)
        self.places.update((node, node) for node in range(len(cell.inputs)))
        self.count = len(cell.inputs)

    def cell(self) -> Cell:
        """Return the cell: kept nodes in order, each after the replacements of its predecessors."""
        cell = self.site.cell
        gated = self.site.deletable() if self.pruning.gated else ()
        for node in cell.inner():
            if node in self.deleted:
                continue
            made = self.add([self.edge(edge) for edge in cell.into(node)])
            if node in gated:
                gate = Scale(self.site.shapes[node].channels, shared=True)
                made = self.add([(made, Op(gate, gate_slot(self.site.step, node)))])
            self.places[node] = made
        output = tuple(
            self.fusion(node, OUTPUT) if node in self.deleted else self.places[node]
            for node in cell.output
        )
        nodes = self.count - len(cell.inputs)
        return replace(cell, nodes=nodes, edges=tuple(self.edges), output=output)

    def add(self, ends: list[tuple[int, Expr]]) -> int:
        """Add a node, the sum of edges from these sources; return its number."""
        node = self.count
        self.edges += [Edge(source, node, body) for source, body in ends]
        self.count += 1
        return node

    def edge(self, edge: Edge) -> tuple[int, Expr]:
        """Return the new source of an edge of a kept node, and what the edge computes."""
        if edge.source not in self.deleted:
            return self.places[edge.source], edge.body
        if not is_zero(edge.body):
            return self.fusion(edge.source, edge.target), edge.body
        source = self.roots(edge.source)[0]  # no connection, from wherever there is something
        return self.places[source], chain(self.bridge(source, edge.source), edge.body)

    def roots(self, node: int) -> tuple[int, ...]:
        """Return the kept nodes that replace a deleted one: its predecessors, or in turn theirs."""
        found: dict[int, None] = {}
        for source in self.site.predecessors(node):
            found.update(dict.fromkeys(self.roots(source) if source in self.deleted else [source]))
        return tuple(found)

    def bridge(self, source: int, node: int) -> Expr:
        """Return the expression from `source` to the shape of a deleted node."""
        found = self.site.bridge(source, node)
        if found is None:
            raise GraphError(f"no stride leads from node {source} to {node} of {self.site.step}")
        return found

    def fusion(self, node: int, successor: int | str) -> int:
        """Return the new node that a successor reads instead of the deleted `node`."""
        if (node, successor) not in self.fused:
            self.fused[node, successor] = self._fusion(node, successor)
        return self.fused[node, successor]

    def _fusion(self, node: int, successor: int | str) -> int:
        how, channels = self.pruning.fusion, self.site.shapes[node].channels
        ends: list[tuple[int, Expr]] = []
        for source in self.roots(node):
            body = self.bridge(source, node)
            if how.aggregation != "sum":
                slot = weight_slot(self.site.step, node, successor, source)
                scale = Scale(channels, shared=how.aggregation == "scalar")
                body = chain(body, Op(scale, slot))
            ends.append((self.places[source], body))
        made = self.add(ends)
        if not how.recalibrated:
            return made
        slot = f"{fusion_slot(self.site.step, node, successor)}/se"
        return self.add([(made, Op(SqueezeExcite(channels, how.units(channels)), slot))])
