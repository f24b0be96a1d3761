"""Cheapest network of a space: the least budget that is feasible."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from torch import Tensor

from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.local_search import local_search
from archwright.graph import Architecture, CellGenotype, EdgeOp, decision_name
from archwright.spaces import CellSpec, EdgeSpec
from archwright.spaces.discretise import is_connected


def min_cost_architecture(layout: DecisionTable, table: Tensor) -> Architecture:
    """Return the architecture with the least sum over `table` [E, O] whose output uses the image.

    Each edge takes its cheapest candidate, and each node its cheapest edges. Where this disconnects
    a cell, the path through it with the least additional cost is opened (a shortest path).
    """
    kinds = layout.space.skeleton.cells(layout.size)
    cells = {kind: _cheapest_cell(layout, table, kind, spec) for kind, spec in kinds.items()}
    return Architecture(layout.space.name, cells, layout.space.origin)


_Priced = tuple[float, str]
"""Cost and name of a candidate."""


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
    for edge in _cheapest_path(spec, chosen, lambda edge: priced(edge, connecting=True)):
        opened = priced(edge, connecting=True)
        assert opened is not None, "a path has connections only"
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


def _cheapest_path(
    spec: CellSpec,
    chosen: dict[tuple[int, int], _Priced],
    opened: Callable[[EdgeSpec], _Priced | None],
) -> list[EdgeSpec]:
    """Return the path from an input to an output with the least cost above the chosen edges."""
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
    """Return the least cost, and its architecture, that exchanges of one candidate reach."""

    def neighbours(one: Architecture) -> Iterator[Architecture]:
        return (other for other in _neighbours(layout, one) if _uses_image(layout, other))

    return local_search(start, cost, neighbours)


def first_connected(
    layout: DecisionTable, architectures: Iterable[Architecture]
) -> Architecture | None:
    """Return the first architecture whose logits depend on the image, or None."""
    return next((one for one in architectures if _uses_image(layout, one)), None)


def _uses_image(layout: DecisionTable, architecture: Architecture) -> bool:
    return is_connected(layout.space, architecture, layout.size)


def _neighbours(layout: DecisionTable, architecture: Architecture) -> Iterator[Architecture]:
    """Yield every architecture that differs in one candidate."""
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
