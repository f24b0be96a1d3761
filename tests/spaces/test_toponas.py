"""The spaces of TopoNAS, Table VI and Fig. 8: as many candidates as they say."""

from itertools import pairwise

import pytest

from archwright.cost import graph_cost
from archwright.graph import Choice, Conv, Expr, Shape
from archwright.graph.expr import modules
from archwright.graph.passes.simplification import Simplification, count_modules, simplify_expr
from archwright.spaces import Size, Space, get_space, reference_architecture

SIZE = Size(channels=4, cells=3, image_size=8)
FAMILY = [f"toponas-{number}" for number in range(4, 17)]
FREE = ("max_pool_3x3", "avg_pool_3x3", "skip_connect")


def first_edge(space: Space) -> Choice:
    return next(space.supernet(SIZE).choices())


def total(expr: Expr) -> int:
    return count_modules(expr).total


def depth(space: Space, candidate: str) -> int:
    """Convolutions in series in a candidate, separable ones counted as one."""
    (body,) = (o.body for o in first_edge(space).options if o.members == members(space, candidate))
    return count_modules(body).conv


def members(space: Space, candidate: str) -> frozenset[int]:
    return frozenset({list(space.candidates).index(candidate)})


def test_the_exaggerated_space_has_the_candidates_of_table_vi() -> None:
    space = get_space("toponas-exaggerated")
    assert tuple(space.candidates)[:3] == FREE
    depths = [depth(space, candidate) for candidate in space.candidates]
    assert (depths.count(0), depths.count(1), depths.count(2)) == (3, 5, 7)
    dilations = {
        m.primitive.dilation
        for m in modules(first_edge(space))
        if isinstance(m.primitive, Conv) and m.primitive.depthwise
    }
    assert dilations == {1, 2, 3}


@pytest.mark.parametrize("name", FAMILY)
def test_a_member_has_as_many_candidates_as_its_name_says(name: str) -> None:
    space = get_space(name)
    assert len(space.candidates) == int(name.partition("-")[2])
    assert tuple(space.candidates)[:3] == FREE
    bodies = [option.body for option in first_edge(space).options]
    assert len({str(body) for body in bodies}) == len(bodies)
    reference = reference_architecture(space, SIZE)
    assert graph_cost(space.discrete(reference, SIZE)).params > 0


def test_each_member_holds_all_smaller_ones() -> None:
    for smaller, larger in pairwise(map(get_space, FAMILY)):
        assert tuple(larger.candidates)[:-1] == tuple(smaller.candidates)
    largest, exaggerated = get_space("toponas-16"), get_space("toponas-exaggerated")
    assert set(exaggerated.candidates) < set(largest.candidates)


def test_separable_and_dilated_convolutions_come_in_turn() -> None:
    convs = list(get_space("toponas-16").candidates)[3:]
    assert [name[:3] for name in convs] == ["sep", "dil"] * 6 + ["sep"]


def test_once_simplified_candidates_add_hardly_any_modules() -> None:
    edges = [first_edge(get_space(name)) for name in (*FAMILY, "toponas-exaggerated")]
    *plain, exaggerated = map(total, edges)
    assert plain == sorted(plain)
    assert (plain[0], plain[-1], exaggerated) == (8, 62, 59)
    found = [total(simplify_expr(edge, Shape(4, 8, 8), Simplification())) for edge in edges]
    assert max(found) == found[-1] == found[-2] == 10
