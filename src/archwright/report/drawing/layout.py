"""Layout of a cell: nodes in columns, and a lane of its own for every edge.

Nodes stand on a centre line, left to right in the order of computation, the inputs stacked in the
first column. An edge between neighbours on that line runs straight (lane 0). Any other leaves the
line, runs along a lane above (negative) or below (positive), and comes back. Short edges take the
inner lanes, so that edges which share an end are nested and do not cross, and no edge can run
through a node or another edge's label.
"""

from collections import defaultdict
from dataclasses import dataclass

from archwright.report.reading.read_run import Cell


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Edge with its lane."""

    op: str
    source: int
    target: int
    lane: int


def column(cell: Cell, node: int) -> int:
    """Return the column of a node: 0 for every input."""
    return max(0, node - cell.inputs + 1)


def input_side(cell: Cell, node: int) -> int:
    """Return -1 for an input above the centre line, 1 below, 0 for a node on it."""
    if node >= cell.inputs:
        return 0
    middle = (cell.inputs - 1) / 2
    return (node > middle) - (node < middle)


def wires(cell: Cell) -> list[Wire]:
    """Return every edge with its lane, shortest first."""
    taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
    to_device: list[Wire] = []
    edges = sorted(cell.edges, key=lambda e: (column(cell, e[2]) - column(cell, e[1]), e[2], e[1]))
    for op, source, target in edges:
        span = column(cell, source), column(cell, target)
        side = input_side(cell, source)
        if side == 0 and span[1] - span[0] == 1 and _is_free(taken[0], span):
            lane = 0
        elif side:
            lane = side * _inner_lane(taken, span, side)
        else:
            above, below = _inner_lane(taken, span, -1), _inner_lane(taken, span, 1)
            lane = -above if above <= below else below
        taken[lane].append(span)
        to_device.append(Wire(op=op, source=source, target=target, lane=lane))
    return to_device


def _inner_lane(taken: dict[int, list[tuple[int, int]]], span: tuple[int, int], side: int) -> int:
    lane = 1
    while not _is_free(taken[side * lane], span):
        lane += 1
    return lane


def _is_free(spans: list[tuple[int, int]], span: tuple[int, int]) -> bool:
    return all(span[1] <= start or end <= span[0] for start, end in spans)
