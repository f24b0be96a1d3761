"""The cheapest network that there is: what a budget must at least allow."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.local_search import local_search
from archwright.graph import Architecture, CellGenotype, EdgeOp, decision_name
from archwright.spaces import CellSpec, EdgeSpec
from archwright.spaces.discretise import is_connected


def min_cost_architecture(layout: DecisionTable, table: Tensor) -> Architecture:
    """The architecture of the least sum over `table` [E, O], of those that use the image.

    Each edge takes its cheapest candidate and each node the edges that it must keep. Where that
    cuts a cell in two, the way through it that costs the least more is opened (a shortest path).
    """
    kinds = layout.space.skeleton.cells(layout.size)
    cells = {kind: _cheapest_cell(layout, table, kind, spec) for kind, spec in kinds.items()}
    return Architecture(layout.space.name, cells, layout.space.origin)


_Priced = tuple[float, str]
"""What a candidate costs, and its name."""


def _cheapest_cell(layout: DecisionTable, table: Tensor, kind: str, spec: CellSpec) -> CellGenotype:
    def priced(edge: EdgeSpec, *, connecting: bool) -> _Priced | None:
        name = decision_name(kind, edge.source, edge.target)
        outcomes = ((layout.at(name, c), c) for c in layout.space.outcomes(spec, edge))
        found = [
            (float(table[at]), c) for at, c in outcomes if layout.connecting[at] or not connecting
        ]
        return min(found, default=None, key=lambda pair: pair[0])

    chosen: dict[tuple[int, int], _Priced] = {}
    for node in spec.inner():
        every = {(e.source, node): priced(e, connecting=False) for e in spec.into(node)}
        ranked = sorted(
            ((p, place) for place, p in every.items() if p), key=lambda pair: pair[0][0]
        )
        chosen |= {place: p for p, place in ranked[: spec.keep]}
    for edge in _way_through(spec, chosen, lambda edge: priced(edge, connecting=True)):
        opened = priced(edge, connecting=True)
        assert opened is not None, "a way leads over connections only"
        chosen[edge.source, edge.target] = opened
    nodes = tuple(
        tuple(
            EdgeOp(chosen[e.source, node][1], e.source)
            for e in spec.into(node)
            if (e.source, node) in chosen
        )
        for node in spec.inner()
    )
    return CellGenotype(spec.inputs, nodes, spec.output)


def _way_through(
    spec: CellSpec,
    chosen: dict[tuple[int, int], _Priced],
    opened: Callable[[EdgeSpec], _Priced | None],
) -> list[EdgeSpec]:
    """The edges from an input to an output that cost the least more than they do as chosen."""
    ways: dict[int, tuple[float, list[EdgeSpec]]] = {node: (0.0, []) for node in range(spec.inputs)}
    for node in spec.inner():
        for edge in spec.into(node):
            priced = opened(edge)
            if priced is None or edge.source not in ways or (edge.source, node) not in chosen:
                continue
            before, way = ways[edge.source]
            extra = before + priced[0] - chosen[edge.source, node][0]
            if node not in ways or extra < ways[node][0]:
                ways[node] = extra, [*way, edge]
    ends = [ways[node] for node in spec.output if node in ways]
    return min(ends, key=lambda way: way[0])[1] if ends else []


def near_minimum(
    layout: DecisionTable, start: Architecture, cost: Callable[[Architecture], float]
) -> tuple[float, Architecture]:
    """Return the least cost that is reached from `start` by exchanging a candidate at a time."""

    def neighbours(one: Architecture) -> Iterator[Architecture]:
        return (other for other in _neighbours(layout, one) if _uses_image(layout, other))

    return local_search(start, cost, neighbours)


def first_connected(
    layout: DecisionTable, architectures: Iterable[Architecture]
) -> Architecture | None:
    """The first architecture whose logits depend on the image, if there is one."""
    return next((one for one in architectures if _uses_image(layout, one)), None)


def _uses_image(layout: DecisionTable, architecture: Architecture) -> bool:
    return is_connected(layout.space, architecture, layout.size)


def _neighbours(layout: DecisionTable, architecture: Architecture) -> Iterator[Architecture]:
    """Every architecture that differs in one candidate."""
    for kind, spec in layout.space.skeleton.cells(layout.size).items():
        cell = architecture.cells[kind]
        for row, picks in enumerate(cell.nodes):
            for column, pick in enumerate(picks):
                edge = next(e for e in spec.into(spec.inputs + row) if e.source == pick.source)
                for name in layout.space.outcomes(spec, edge):
                    if name != pick.candidate:
                        changed = (*picks[:column], EdgeOp(name, pick.source), *picks[column + 1 :])
                        nodes = (*cell.nodes[:row], changed, *cell.nodes[row + 1 :])
                        cells = {**architecture.cells, kind: replace(cell, nodes=nodes)}
                        yield replace(architecture, cells=cells)
