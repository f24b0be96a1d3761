"""In which order the rules are tried: what is computed with one candidate stays, the size does not.

What docs/simplification.md says of it.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.graph import Choice, Expr, Shape, verify
from archwright.graph.passes.diagnostics import ignore
from archwright.graph.passes.simplification import Simplification, count_modules, simplify_expr
from archwright.graph.passes.simplification.rewriting import ModuleSharing
from archwright.graph.passes.simplification.rules import RULES
from archwright.graph.traverse import map_edges
from archwright.spaces import Size, get_space

from .edges import SHAPE, alike, answers_of, assert_one_hot, network

SHARING = Simplification(merge=False, norm=False)
FLOATING_FIRST = ModuleSharing(SHARING, tuple(sorted(RULES, key=lambda rule: rule.stage != "fms")))


def other_way(expr: Expr, shape: Shape) -> Expr:
    return FLOATING_FIRST.rewrite(expr, shape, ignore)


@settings(max_examples=30)
@given(edge=alike(), data=st.data())
def test_both_orders_are_consistent(edge: Expr, data: st.DataObject) -> None:
    after = other_way(edge, SHAPE)
    verify(network(after))
    assert_one_hot(network(edge), network(after), answers_of(network(edge).decisions(), data))
    assert other_way(after, SHAPE) == after


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("nasbench201", Size(channels=4, cells=1), {(5, 5)}),
        # as many modules, but others: what is behind the first convs is shared, not the last conv
        ("darts", Size(channels=4, cells=3), {(12, 12), (14, 15)}),
        # and here it finds one module more
        ("spos", Size(channels=16, cells=5), {(28, 28), (19, 18)}),
    ],
)
def test_the_fixed_points_differ(name: str, size: Size, found: set[tuple[int, int]]) -> None:
    seen: set[tuple[int, int]] = set()

    def keep(body: Expr, shape: Shape) -> Expr:
        if isinstance(body, Choice):
            ours = count_modules(simplify_expr(body, shape, SHARING)).total
            seen.add((ours, count_modules(other_way(body, shape)).total))
        return body

    map_edges(get_space(name).supernet(size), keep)
    assert seen == found


def test_on_darts_the_orders_share_different_modules() -> None:
    edge = next(get_space("darts").supernet(Size(channels=4, cells=3)).choices())
    ours, theirs = (f(edge, Shape(4, 8, 8)) for f in (partial_first, other_way))
    assert count_modules(ours) == count_modules(theirs)
    (shared,) = (o.body for o in choices_of(ours).options if len(o.members) == 4)
    assert str(shared).endswith("dil_conv_5x5: dw5d2} · pw · bn")
    (shared,) = (o.body for o in choices_of(theirs).options if len(o.members) == 4)
    assert str(shared).endswith("· pw · bn; dil_conv_3x3|dil_conv_5x5: id}")


def partial_first(expr: Expr, shape: Shape) -> Expr:
    return simplify_expr(expr, shape, SHARING)


def choices_of(expr: Expr) -> Choice:
    assert isinstance(expr, Choice)
    return expr
