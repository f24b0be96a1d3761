"""No cell, however dense, has two edges in one place."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from archwright.report.drawing.layout import column, wires
from archwright.report.reading.read_run import Cell


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    inputs = draw(st.integers(1, 3))
    nodes = [
        draw(st.lists(st.integers(0, inputs + i - 1), max_size=5))
        for i in range(draw(st.integers(1, 5)))
    ]
    return Cell(
        kind="cell",
        inputs=inputs,
        nodes=tuple(tuple(("op", source) for source in node) for node in nodes),
        output=(inputs,),
    )


@given(cells())
def test_edges_that_share_a_lane_do_not_meet(cell: Cell) -> None:
    to_device = wires(cell)
    assert sorted((w.op, w.source, w.target) for w in to_device) == sorted(cell.edges)
    for a, b in combinations(to_device, 2):
        if a.lane == b.lane:
            apart = column(cell, a.target) <= column(cell, b.source)
            assert apart or column(cell, b.target) <= column(cell, a.source)


@given(cells())
def test_a_straight_edge_joins_neighbours_on_the_line(cell: Cell) -> None:
    for wire in wires(cell):
        if wire.lane == 0:
            assert column(cell, wire.target) - column(cell, wire.source) == 1
            assert wire.source >= cell.inputs or wire.source * 2 == cell.inputs - 1


def test_nasbench201_is_drawn_without_a_crossing() -> None:
    cell = Cell(
        kind="cell",
        inputs=1,
        nodes=tuple(tuple(("op", s) for s in range(t)) for t in (1, 2, 3)),
        output=(3,),
    )
    lanes = {(w.source, w.target): w.lane for w in wires(cell)}
    assert lanes == {(0, 1): 0, (1, 2): 0, (2, 3): 0, (0, 2): -1, (1, 3): 1, (0, 3): -2}
