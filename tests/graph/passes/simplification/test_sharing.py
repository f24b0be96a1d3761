"""The sharing passes: with all weight on one candidate, exactly that candidate is computed."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.graph import (
    INPUT,
    Architecture,
    Cell,
    Conv,
    Edge,
    Expr,
    Network,
    Op,
    ReLU,
    Step,
    chain,
    verify,
)
from archwright.graph.expr import modules
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.simplification import (
    Simplification,
    count_modules,
    simplify,
    simplify_expr,
)
from archwright.graph.passes.simplification.settings import Pointwise
from archwright.lowering import GraphModule, Mixture
from archwright.spaces import get_space

from ....strategies import ALL_SPACES, any_space, architectures, images, networks, seeded, tiny
from .edges import POINT, SHAPE, C, alike, answers_of, assert_one_hot, edge, network

EXAMPLE = Path(__file__).parents[4] / "examples" / "my_space.py"

SETTINGS = [
    Simplification(fms=False, merge=False, norm=False),
    Simplification(pms=False, merge=False, norm=False),
    Simplification(merge=False, norm=False),
    Simplification(),
    Simplification(pointwise="apart", granularity="kernel", scale="deviation"),
    Simplification(pointwise="dense"),
    Simplification(pms=False),
    Simplification(pms=False, fms=False),
]
names = [f"{s}-{s.pointwise}" for s in SETTINGS]


@pytest.mark.parametrize("chosen", SETTINGS, ids=names)
@settings(max_examples=20)
@given(edge=alike(), data=st.data())
def test_one_candidate_alone(chosen: Simplification, edge: Expr, data: st.DataObject) -> None:
    before, after = network(edge), network(simplify_expr(edge, SHAPE, chosen))
    verify(after)
    assert_one_hot(before, after, answers_of(before.decisions(), data))


@pytest.mark.parametrize("chosen", SETTINGS, ids=names)
@settings(max_examples=20)
@given(edge=alike())
def test_twice_changes_nothing_and_modules_only_become_fewer(
    chosen: Simplification, edge: Expr
) -> None:
    once = simplify_expr(edge, SHAPE, chosen)
    assert simplify_expr(once, SHAPE, chosen) == once
    before, after = count_modules(edge), count_modules(once)
    assert after.conv <= before.conv
    assert after.non_conv <= before.non_conv
    slots = {m.slot for m in modules(once) if m.slot}
    assert slots <= {m.slot for m in modules(edge)}


@pytest.mark.parametrize("pointwise", ["shared", "apart", "dense"])
@settings(max_examples=12)
@given(net=networks())
def test_any_network_stays_valid(pointwise: Pointwise, net: Network) -> None:
    chosen = Simplification(pointwise=pointwise)
    once = simplify(net, chosen)
    verify(once)
    assert simplify(once, chosen) == once
    assert set(once.decisions()) <= set(net.decisions())


def _heir_agrees(net: Network, architecture: Architecture) -> None:
    supernet = seeded(net)
    heir = GraphModule(restrict(net, architecture)).double()
    heir.inherit(supernet)
    mixture = Mixture.one_hot(net.decisions(), architecture.answers(), like=torch.zeros(1).double())
    for training in (True, True, False):
        x = images(net, seed=int(training))
        ours, theirs = supernet.train(training)(x, mixture)[0], heir.train(training)(x)[0]
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pointwise", ["shared", "apart", "dense"])
@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=2)
@given(data=st.data())
def test_the_spaces(name: str, pointwise: Pointwise, data: st.DataObject) -> None:
    space = any_space(name)
    plain = space.supernet(tiny(name))
    after = simplify(plain, Simplification(pointwise=pointwise))
    verify(after)
    architecture = data.draw(architectures(space))
    ours, theirs = restrict(after, architecture), restrict(plain, architecture)
    assert [m.primitive for m in ours.modules()] == [m.primitive for m in theirs.modules()]
    _heir_agrees(after, architecture)


@settings(max_examples=3)
@given(data=st.data())
def test_the_users_example(data: st.DataObject) -> None:
    space, size = get_space(str(EXAMPLE)), tiny("nasbench201")
    after = simplify(space.supernet(size), Simplification())
    verify(after)
    assert simplify(after, Simplification()) == after
    _heir_agrees(after, data.draw(architectures(space, size)))


def test_candidates_that_are_all_the_same_still_leave_a_question() -> None:
    twins = edge(chain(ReLU(), POINT), chain(ReLU(), POINT))
    after = simplify_expr(twins, SHAPE, Simplification())
    assert network(after).decisions() == (twins.decision,)
    assert count_modules(after).total == 2
    assert simplify_expr(after, SHAPE, Simplification()) == after
    for candidate in ("a", "b"):
        assert_one_hot(network(twins), network(after), {"kind/0->1": candidate})


def test_a_slot_that_also_stands_elsewhere_is_not_normalised() -> None:
    shared = Op(Conv(C, C, 3), "mine")
    other = Op(Conv(C, C, 5), "other")
    cell = Cell(
        "kind",
        (chain(),),
        2,
        (Edge(0, 1, edge(chain(shared), chain(other))), Edge(0, 2, chain(shared))),
        (1, 2),
    )
    net = Network(SHAPE, (Step("cell", cell, (INPUT,)),))
    after = simplify(net, Simplification())
    verify(after)
    norms = {m.slot: m.primitive.norm for m in after.modules() if isinstance(m.primitive, Conv)}
    assert norms["mine"] is None
    assert norms["other"] is not None
