"""Expressions are values: built flat, named once, walked with errors that say where."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import GraphError
from archwright.graph import (
    BatchNorm,
    Chain,
    Choice,
    Concat,
    Conv,
    Decision,
    Expr,
    Op,
    Option,
    ReLU,
    Shape,
    Zero,
    chain,
    choose,
    concat,
    name_slots,
)
from archwright.graph.expr import choices, is_zero, map_modules, modules, out_shape, walk

from ..strategies import expressions

QUESTION = Decision("edge", ("bad", "good"))
SHAPE = Shape(3, 7, 6)


def test_chains_lie_flat() -> None:
    relu, norm = Op(ReLU()), Op(BatchNorm(3))
    assert chain(ReLU(), chain(chain(), BatchNorm(3), chain(ReLU()))) == Chain((relu, norm, relu))
    assert chain() == chain(chain()) == Chain()


def test_expressions_print_what_they_do() -> None:
    choice = choose(QUESTION, (chain(), concat(ReLU(), Zero(3))))
    assert str(chain(Conv(3, 3, 1), choice)) == "pw · Σ{bad: id; good: [relu | zero]}"


@given(st.integers(1, 5), st.sampled_from((1, 2)), st.data())
def test_random_expressions_have_the_shape_that_was_asked_for(
    width: int, stride: int, data: st.DataObject
) -> None:
    expr = data.draw(expressions(3, width, stride))
    assert out_shape(expr, SHAPE) == ((width, 7, 6) if stride == 1 else (width, 4, 3))


@given(expressions())
def test_walking_visits_every_module_in_order(expr: Expr) -> None:
    seen: list[Op] = []
    walk(expr, SHAPE, lambda module, shape: seen.append(module))
    assert seen == list(modules(expr))


@given(expressions())
def test_replacing_modules_by_themselves_changes_nothing(expr: Expr) -> None:
    assert map_modules(expr, lambda module, path: module) == expr
    paths: list[str] = []
    map_modules(expr, lambda module, path: paths.append(path) or module)
    assert len(set(paths)) == len(paths) == len(list(modules(expr)))


@given(expressions())
def test_slots_are_named_once(expr: Expr) -> None:
    assert name_slots(expr, "other") == expr
    bare = map_modules(expr, lambda module, path: Op(module.primitive))
    named = [module.slot for module in modules(name_slots(bare, "edge")) if module.slot]
    assert len(set(named)) == len(named)
    assert all(bool(m.slot) == m.primitive.stateful for m in modules(name_slots(bare, "edge")))


def test_a_slot_that_a_user_gave_stays() -> None:
    mine = Op(Conv(3, 3, 1), "mine")
    named = name_slots(
        Choice(
            QUESTION,
            (Option(frozenset({0, 1}), chain(mine, ReLU(), Conv(3, 3, 1))),),
            frozenset({0, 1}),
        ),
        "x",
    )
    assert [module.slot for module in modules(named)] == ["mine", "", "x/bad|good/2"]


def test_choices_come_outer_first() -> None:
    inner = choose(Decision("inner", ("a",)), (chain(),))
    outer = choose(Decision("outer", ("a", "b")), (chain(inner), concat(inner)))
    assert [c.decision.name for c in choices(chain(ReLU(), outer))] == ["outer", "inner", "inner"]


def test_what_is_zero() -> None:
    zero, relu = chain(Zero(3), ReLU()), chain(ReLU())
    assert is_zero(zero)
    assert is_zero(concat(zero, Zero(1)))
    assert is_zero(choose(QUESTION, (zero, zero)))
    assert not is_zero(concat(zero, relu))
    assert not is_zero(choose(QUESTION, (zero, relu)))
    assert not is_zero(chain())


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (Op(Conv(4, 4, 1)), "pw takes 4 channels, got 3"),
        (chain(ReLU(), Conv(4, 4, 1)), "module 1 (pw): pw takes 4 channels, got 3"),
        (
            choose(QUESTION, (chain(ReLU(), BatchNorm(8)), chain())),
            "edge, candidate bad: module 1 (bn): bn takes 8 channels, got 3",
        ),
        (
            chain(concat(ReLU(), chain(Conv(8, 8, 1)))),
            "module 0 ([relu | pw]): branch 1: module 0 (pw): pw takes 8 channels, got 3",
        ),
        (
            choose(QUESTION, (chain(Conv(3, 8, 1)), chain())),
            "the candidates of edge disagree: 8x7x6 by bad; 3x7x6 by good",
        ),
        (
            concat(ReLU(), Conv(3, 2, 1, 2)),
            "the branches of [relu | pw/2] end at different sizes: 3x7x6, 2x4x3",
        ),
        (Concat(()), "the branches of [] end at different sizes: there are none"),
        (Choice(QUESTION, (), frozenset()), "the candidates of edge disagree: none"),
    ],
)
def test_a_shape_error_says_where(expr: Expr, message: str) -> None:
    with pytest.raises(GraphError, match=f"^{re.escape(message)}$"):
        out_shape(expr, SHAPE)


def test_what_is_no_expression() -> None:
    wrong = chain(ReLU(), "conv")  # pyright: ignore[reportArgumentType]
    with pytest.raises(GraphError, match=r"^'conv' \(str\) is no expression: build it of prim"):
        name_slots(wrong, "x")
