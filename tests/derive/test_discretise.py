"""From weights to architectures, and random ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.errors import ConfigError
from archwright.graph import EdgeOp
from archwright.spaces import (
    Size,
    Space,
    Staged,
    TwoInput,
    dense_cell,
    get_space,
    operations,
    write_architecture,
)
from archwright.spaces.discretise import discretise, is_connected, random_architecture

from ..strategies import ALL_SPACES, any_space, tiny

SIZE = Size(channels=4, cells=3, image_size=8)


def space(keep: int | None) -> Space:
    cell = dense_cell(2, inputs=2, keep=keep)
    return Space(
        name="hand",
        candidates={"none": operations.none, "a": operations.skip, "b": operations.conv(3)},
        skeleton=TwoInput(cell, cell),
    )


EVEN = [0.0, 0.5, 0.5]
WEIGHTS = {
    **{f"reduce/{s}->{t}": EVEN for t in (2, 3) for s in range(t)},
    "normal/0->2": [0.9, 0.06, 0.04],
    "normal/1->2": [0.1, 0.4, 0.5],
    "normal/0->3": [0.6, 0.1, 0.3],
    "normal/1->3": [0.0, 0.3, 0.7],
    "normal/2->3": [0.0, 0.7, 0.3],
}


def picks(keep: int | None, weights: dict[str, list[float]]) -> tuple[tuple[EdgeOp, ...], ...]:
    found = discretise(space(keep), SIZE, weights)
    assert (found.space, found.origin) == ("hand", None)
    cell = found.cells["normal"]
    assert (cell.inputs, cell.output) == (2, (3,))
    return cell.nodes


def test_a_node_keeps_its_strongest_edges() -> None:
    # none is the strongest candidate twice, and never counts; 1->3 and 2->3 tie, the first wins
    assert picks(1, WEIGHTS) == ((EdgeOp("b", 1),), (EdgeOp("b", 1),))
    assert picks(2, WEIGHTS) == ((EdgeOp("b", 1), EdgeOp("a", 0)), (EdgeOp("b", 1), EdgeOp("a", 2)))


def test_a_node_with_fewer_edges_keeps_them_all() -> None:
    first, second = picks(3, WEIGHTS)
    assert first == (EdgeOp("b", 1), EdgeOp("a", 0))
    assert second == (EdgeOp("b", 1), EdgeOp("a", 2), EdgeOp("b", 0))


def test_where_all_edges_stay_none_is_a_candidate() -> None:
    assert picks(None, WEIGHTS) == (
        (EdgeOp("none", 0), EdgeOp("b", 1)),
        (EdgeOp("none", 0), EdgeOp("b", 1), EdgeOp("a", 2)),
    )


def test_the_first_candidate_wins_a_tie() -> None:
    even = {name: [1 / 3] * 3 for name in WEIGHTS}
    assert picks(2, even) == ((EdgeOp("a", 0), EdgeOp("a", 1)), (EdgeOp("a", 0), EdgeOp("a", 1)))
    assert picks(None, even)[0] == (EdgeOp("none", 0), EdgeOp("none", 1))


def test_nasbench201_takes_each_edges_strongest() -> None:
    bench = get_space("nasbench201")
    size = tiny("nasbench201")
    order = [3, 0, 1, 2, 4, 3]
    weights = {
        decision.name: np.eye(5)[index].tolist()
        for decision, index in zip(bench.decisions(size), order, strict=True)
    }
    assert write_architecture(discretise(bench, size, weights)) == (
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_architectures_belong_are_connected_and_repeat(name: str, seed: int) -> None:
    drawn, size = any_space(name), tiny(name)
    one, again = (random_architecture(drawn, size, np.random.default_rng(seed)) for _ in "ab")
    assert one == again
    drawn.check(one, size)
    assert is_connected(drawn, one, size)


@pytest.mark.parametrize("name", ALL_SPACES)
def test_every_decision_takes_every_answer(name: str) -> None:
    drawn, size = any_space(name), tiny(name)
    generator = np.random.default_rng(0)
    seen: dict[str, set[str]] = {}
    for _ in range(150):
        for decision, answer in random_architecture(drawn, size, generator).answers().items():
            seen.setdefault(decision, set()).add(answer)
    for kind, spec in drawn.skeleton.cells(size).items():
        for edge in spec.edges:
            wanted = set(drawn.outcomes(spec, edge))
            if name == "user":  # the last node hears of the image on two ways only
                wanted -= {"nothing"}
            assert seen[f"{kind}/{edge.source}->{edge.target}"] >= wanted


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_discretised_belongs_to_its_space(name: str, seed: int) -> None:
    found_in, size = any_space(name), tiny(name)
    generator = np.random.default_rng(seed)
    weights = {
        d.name: generator.dirichlet(np.ones(len(d.candidates))).tolist()
        for d in found_in.decisions(size)
    }
    found_in.check(discretise(found_in, size, weights), size)


def test_a_space_of_disconnected_architectures() -> None:
    nothing = replace(
        space(None), candidates={"none": operations.none}, skeleton=Staged(dense_cell(1))
    )
    small = Size(channels=2, cells=1, image_size=4)
    with pytest.raises(ConfigError, match=r"^no connected architecture among 1000 random ones"):
        random_architecture(nothing, small, np.random.default_rng(0))


def test_the_null_candidate_can_be_left_out() -> None:
    space = get_space("nasbench201")
    size = Size(channels=4, cells=1)
    weights = {d.name: [0.4, 0.1, 0.2, 0.2, 0.1] for d in space.decisions(size)}
    chosen = {
        null: set(discretise(space, size, weights, null=null).answers().values())
        for null in (True, False)
    }
    assert chosen == {True: {"none"}, False: {"nor_conv_1x1"}}
