"""The network inside a supernet: what one-hot weights compute, and nothing else."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.errors import GenotypeError, GraphError
from archwright.graph import (
    INPUT,
    Architecture,
    Cell,
    CellGenotype,
    Choice,
    Decision,
    Edge,
    EdgeOp,
    Expr,
    Network,
    Option,
    ReLU,
    Shape,
    Step,
    chain,
    choose,
    concat,
)
from archwright.graph.passes.restriction import restrict
from archwright.lowering import GraphModule, Mixture
from archwright.spaces.discretise import random_architecture

from ...strategies import ALL_SPACES, any_space, architectures, images, seeded, tiny


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=5)
@given(data=st.data())
def test_one_hot_weights_compute_the_restricted_network(name: str, data: st.DataObject) -> None:
    space, size = any_space(name), tiny(name)
    architecture = data.draw(architectures(space))
    supernet = seeded(space.supernet(size))
    derived = GraphModule(restrict(supernet.network, architecture)).double()
    derived.inherit(supernet)
    answers = architecture.answers()
    mixture = Mixture.one_hot(supernet.decisions, answers, like=torch.zeros(1).double())
    for seed in range(3):  # the running statistics move as well
        x = images(supernet.network, batch=4, seed=seed)
        ours, theirs = derived(x)[0], supernet(x, mixture)[0]
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    x = images(supernet.network, batch=4, seed=3)
    ours, theirs = derived.eval()(x)[0], supernet.eval()(x, mixture)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert derived.decisions == ()
    assert set(derived.state_dict()) <= set(supernet.state_dict())


@pytest.mark.parametrize("name", ALL_SPACES)
def test_another_architecture_computes_something_else(name: str) -> None:
    space, size = any_space(name), tiny(name)
    one, other = (random_architecture(space, size, np.random.default_rng(s)) for s in (0, 1))
    assert one != other
    supernet = seeded(space.supernet(size))
    x = images(supernet.network)
    made: list[torch.Tensor] = []
    for architecture in (one, other):
        derived = GraphModule(restrict(supernet.network, architecture)).double()
        derived.inherit(supernet)
        made.append(derived(x)[0])
    assert not torch.allclose(made[0], made[1])


DECISION = Decision("kind/0->1", ("a", "b"))
CHOICE = choose(DECISION, (chain(), chain(ReLU())))


def network(*edges: Expr, first: Expr | None = None, before: Expr | None = None) -> Network:
    cell = Cell("kind", (first or chain(),), 1, tuple(Edge(0, 1, e) for e in edges), (1,))
    steps = (Step("before", before or chain(), (INPUT,)), Step("cell", cell, ("before",)))
    return Network(Shape(2, 4, 4), steps)


def answer(candidate: str, output: int = 1) -> Architecture:
    return Architecture("s", {"kind": CellGenotype(1, ((EdgeOp(candidate, 0),),), (output,))})


def test_choices_are_answered_wherever_they_stand() -> None:
    nested = chain(concat(CHOICE, chain(ReLU(), CHOICE)), CHOICE)
    found = restrict(network(nested, first=CHOICE, before=CHOICE), answer("b"))
    relu = chain(ReLU())
    body = chain(concat(relu, chain(ReLU(), ReLU())), ReLU())
    assert found == network(body, first=relu, before=relu)


def test_an_edge_without_an_answer_is_left_out() -> None:
    other = choose(Decision("kind/0->2", ("a", "b")), (chain(), chain()))
    found = restrict(network(chain(ReLU(), concat(other)), CHOICE), answer("b"))
    assert found == network(chain(ReLU()))


def test_an_option_may_stand_for_several_candidates() -> None:
    both = Choice(DECISION, (Option(frozenset({0, 1}), chain(ReLU())),), frozenset({0, 1}))
    for candidate in "ab":
        assert restrict(network(both), answer(candidate)) == network(chain(ReLU()))


@pytest.mark.parametrize(
    ("net", "architecture", "error", "message"),
    [
        (network(CHOICE), answer("c"), GenotypeError, "'c' is no candidate of kind/0->1: a, b"),
        (
            network(CHOICE),
            Architecture("s", {}),
            GraphError,
            "restriction does not give a discrete network: cell: the edges into node 1 disagree: "
            "there are none",
        ),
        (
            network(CHOICE),
            answer("a", output=0),
            GenotypeError,
            "kind cells of this network join the nodes (1,), those of the architecture (0,)",
        ),
        (
            network(chain(), before=CHOICE),
            Architecture("s", {}),
            GraphError,
            "before has a decision that the architecture does not make",
        ),
        (
            network(chain(), first=CHOICE),
            Architecture("s", {}),
            GraphError,
            "cell has a decision that the architecture does not make",
        ),
        (
            network(Choice(DECISION, (Option(frozenset({0}), chain()),), frozenset({0, 1}))),
            answer("b"),
            GraphError,
            "no option of kind/0->1 stands for b",
        ),
    ],
)
def test_what_cannot_be_restricted(
    net: Network, architecture: Architecture, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        restrict(net, architecture)
