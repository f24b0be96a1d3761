"""What the weights of the candidates show by themselves."""

import math

import pytest

from archwright.graph import Decision
from archwright.nas.monitor.statistics import (
    OperationRoles,
    entropy,
    max_skips,
    ranking,
    skip_fraction,
)
from archwright.spaces import Size, get_space, read_architecture

from ...strategies import any_space, tiny


def roles(name: str) -> OperationRoles:
    return OperationRoles.of(any_space(name).supernet(tiny(name)))


def test_roles_in_the_space_of_nasbench201() -> None:
    found = roles("nasbench201")
    assert set(found.skips) == {f"cell/{i}->{j}" for j in range(1, 4) for i in range(j)}
    assert set(found.skips.values()) == {frozenset({"skip_connect"})}
    assert set(found.learned.values()) == {frozenset({"nor_conv_1x1", "nor_conv_3x3"})}
    assert found.reductions == {"residual"}


def test_roles_in_the_space_of_darts() -> None:
    found = roles("darts")
    assert found.reductions == {"reduce"}
    assert found.skips["normal/0->2"] == {"skip_connect"}
    assert found.skips["reduce/0->2"] == frozenset()  # a reduction has weights
    assert found.skips["reduce/2->3"] == {"skip_connect"}
    convolutions = {f"{kind}_conv_{k}x{k}" for kind in ("sep", "dil") for k in (3, 5)}
    assert found.learned["normal/0->2"] == convolutions
    assert found.learned["reduce/0->2"] == {*convolutions, "skip_connect"}


def test_roles_in_a_users_space() -> None:
    found = roles("user")
    assert found.skips == {"knot/0->1": set(), "knot/0->2": {"keep"}, "knot/1->2": {"keep"}}
    assert found.learned["knot/0->1"] == {"point", "square"}


def test_a_space_of_blocks_has_no_skips() -> None:
    found = roles("spos")
    assert not any(found.skips.values())
    assert len(found.reductions) > 0


def test_entropy_is_the_mean_of_the_decisions() -> None:
    weights = {"a": [0.25, 0.25, 0.25, 0.25], "b": [1.0, 0.0]}
    assert entropy(weights) == pytest.approx(math.log(4) / 2)
    # an edge's share of its node says nothing about its candidates
    assert entropy({"a": [0.05, 0.05, 0.05, 0.05], "b": [0.2, 0.0]}) == pytest.approx(
        math.log(4) / 2
    )


DECISIONS = (
    Decision("normal/0->2", ("none", "skip", "conv")),
    Decision("normal/1->2", ("none", "skip", "conv")),
    Decision("normal/2->3", ("none", "pool", "conv")),
    Decision("reduce/0->2", ("none", "skip", "conv")),
)
ROLES = OperationRoles(
    skips={
        "normal/0->2": frozenset({"skip"}),
        "normal/1->2": frozenset({"skip"}),
        "normal/2->3": frozenset(),
        "reduce/0->2": frozenset(),
    },
    learned={d.name: frozenset({"skip", "conv"}) for d in DECISIONS},
    reductions=frozenset({"reduce"}),
)


def test_the_share_that_skips_lead() -> None:
    weights = {
        "normal/0->2": [0.5, 0.3, 0.2],
        "normal/1->2": [0.1, 0.4, 0.5],
        "normal/2->3": [0.1, 0.8, 0.1],
        "reduce/0->2": [0.0, 0.9, 0.1],
    }
    assert skip_fraction(weights, DECISIONS, ROLES, none_op="none") == {"normal": 0.5}
    assert skip_fraction(weights, DECISIONS, ROLES, none_op=None) == {"normal": 0.0}


def test_what_was_dropped_is_led_by_nothing() -> None:
    weights = {
        "normal/0->2": [1.0, 0.0, 0.0],  # the connection is gone, the null candidate is left
        "normal/1->2": [0.1, 0.4, 0.5],
        "normal/2->3": [0.0, 0.0, 0.0],
        "reduce/0->2": [0.0, 0.0, 0.0],
    }
    assert skip_fraction(weights, DECISIONS, ROLES, none_op="none") == {"normal": 0.0}


def test_ranks_are_of_what_has_weights() -> None:
    weights = {d.name: [0.5, 0.3, 0.2] for d in DECISIONS}
    found = ranking(weights, DECISIONS, ROLES)
    assert found["normal/0->2"] == ("skip", "conv")
    assert found["normal/2->3"] == ("conv",)
    weights["normal/0->2"] = [0.9, 0.04, 0.06]
    assert ranking(weights, DECISIONS, ROLES)["normal/0->2"] == ("conv", "skip")


def test_the_skips_of_a_normal_cell_are_counted() -> None:
    # DARTS, second order: the normal cell has two, and those of the reduction do not count
    assert max_skips(read_architecture("darts-v2"), roles("darts")) == 2
    assert read_architecture("darts-v2").answers()["reduce/2->3"] == "skip_connect"
    cell = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    space = get_space("nasbench201")
    found = OperationRoles.of(space.supernet(Size(channels=4, cells=1)))
    assert max_skips(read_architecture(cell), found) == 3
