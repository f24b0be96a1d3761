"""Convolutions of the same relu(x) are one operation, where nothing is recomputed as a region."""

import pytest

from archwright.graph.passes.simplification import simplification, simplify
from archwright.lowering.coefficients import Coefficients
from archwright.lowering.peephole import group_convs, optimise
from archwright.lowering.plan import ConvGroup, Convolve, GetItem, Plan, reads
from archwright.spaces import get_space

from ..strategies import tiny


def plan(*, recompute: bool = False) -> Plan:
    network = simplify(get_space("darts").supernet(tiny("darts")), simplification("all"))
    made = Plan(network, Coefficients(network.decisions()), auxiliary=False)
    optimise(made, recompute=recompute)
    return made


def alone(made: Plan) -> list[Convolve]:
    """Convolutions of a relu(x) that are operations of their own."""
    found = (o for o in made.operations.values() if isinstance(o, Convolve))
    return [o for o in found if o.relu and o.norm is None]


def test_convolutions_of_one_node_are_one_operation() -> None:
    made = plan()
    groups = {v: o for v, o in made.operations.items() if isinstance(o, ConvGroup)}
    # an input of a reduction cell: for each of its four edges two depthwise convolutions, and a
    # pointwise one of the skip connection
    assert max(len(group.kernels) for group in groups.values()) == 4 * 3
    for value, group in groups.items():
        rows = [o.row for o in made.operations.values() if isinstance(o, GetItem) and o.x == value]
        assert rows == list(range(len(group.kernels)))


def test_a_convolution_that_reads_alone_stays_as_it_is() -> None:
    made = plan()
    read = [convolve.x for convolve in alone(made)]
    assert read
    grouped = {o.x for o in made.operations.values() if isinstance(o, ConvGroup)}
    assert len(set(read)) == len(read)
    assert not grouped & set(read)


def test_regions_are_left_to_recompute() -> None:
    made = plan(recompute=True)
    assert not any(isinstance(o, ConvGroup) for o in made.operations.values())


def test_every_value_is_made_before_it_is_read() -> None:
    known = {0}
    for value, operation in plan().operations.items():
        assert known.issuperset(reads(operation))
        known.add(value)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_second_time_changes_nothing(recompute: bool) -> None:
    made = plan(recompute=recompute)
    if recompute:
        group_convs(made)
    before = dict(made.operations)
    group_convs(made)
    assert made.operations == before
