"""The verifier: one broken network for each of its messages."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    BatchNorm,
    Cell,
    Choice,
    Conv,
    Decision,
    Edge,
    Expr,
    Network,
    Op,
    Option,
    Shape,
    Step,
    chain,
    choose,
    verify,
    verify_discrete,
)

QUESTION = Decision("q", ("a", "b"))
CONV = Op(Conv(2, 2, 3), "weights")


def net(
    body: Expr = CONV, *, nodes: int = 1, output: tuple[int, ...] = (1,), auxiliary: str = ""
) -> Network:
    cell = Cell("kind", (chain(),), nodes, (Edge(0, 1, body),), output)
    steps = (Step("stem", chain(), (INPUT,)), Step("cell", cell, ("stem",)))
    return Network(Shape(2, 4, 4), steps, auxiliary)


def with_step(step: Step) -> Network:
    return replace(net(), steps=(*net().steps, step))


def with_cell(**changes: object) -> Network:
    base = net()
    cell = base.steps[1].body
    assert isinstance(cell, Cell)
    step = Step("cell", replace(cell, **changes), ("stem",))  # pyright: ignore[reportArgumentType]
    return replace(base, steps=(base.steps[0], step))


def options(*members: set[int], given: set[int]) -> Choice:
    made = tuple(Option(frozenset(m), chain()) for m in members)
    return Choice(QUESTION, made, frozenset(given))


def test_a_right_network_passes() -> None:
    verify(net())
    verify_discrete(net())
    verify(net(choose(QUESTION, (chain(), CONV))))
    verify(net(options({0}, given={0, 1})))


BROKEN: dict[str, Callable[[], Network]] = {
    "a network needs at least one step": lambda: Network(Shape(1, 1, 1), ()),
    "two steps are named 'cell'": lambda: with_step(Step("cell", chain(), ("stem",))),
    "two steps are named 'input'": lambda: with_step(Step("input", chain(), ("stem",))),
    "late reads 'later', which is not computed before it": lambda: with_step(
        Step("late", chain(), ("later",))
    ),
    "sum is an expression and reads 2 inputs": lambda: with_step(
        Step("sum", chain(), ("stem", "cell"))
    ),
    "there is no step 'aux' to take auxiliary logits from": lambda: net(auxiliary="aux"),
    "there is no step 'input' to take auxiliary logits from": lambda: net(auxiliary="input"),
    "'cell' computes auxiliary logits: no step can read it, and it cannot be the last": lambda: net(
        auxiliary="cell"
    ),
    "'stem' computes auxiliary logits: no step can read it, and it cannot be the last": lambda: net(
        auxiliary="stem"
    ),
    "cell has 2 input nodes and reads 1 steps": lambda: with_cell(inputs=(chain(), chain())),
    "cell: edge 1->1 does not lead forward": lambda: with_cell(edges=(Edge(1, 1, CONV),)),
    "cell: edge 0->2 does not lead forward": lambda: with_cell(edges=(Edge(0, 2, CONV),)),
    "cell: edges are not ordered by the node that they end in": lambda: with_cell(
        nodes=2, edges=(Edge(0, 2, chain()), Edge(0, 1, chain()))
    ),
    "cell: output nodes (2,) are not all among 0 to 1": lambda: net(output=(2,)),
    "cell: output nodes () are not all among 0 to 1": lambda: net(output=()),
    "cell: the edges into node 2 disagree: there are none": lambda: net(nodes=2),
    "cell: the output nodes (0, 1) differ in size: 2x4x4, 2x2x2": lambda: net(
        Op(Conv(2, 2, 3, 2), "w"), output=(0, 1)
    ),
    "a module conv3 has weights or statistics but names no slot": lambda: net(Op(Conv(2, 2, 3))),
    "slot cell.0: a dot separates names in state dicts; leave it out": lambda: net(
        Op(Conv(2, 2, 3), "cell.0")
    ),
    "slot w is claimed by both BatchNorm(channels=2, affine=True) and "
    "BatchNorm(channels=2, affine=False)": lambda: net(
        chain(Op(BatchNorm(2), "w"), Op(BatchNorm(2, affine=False), "w"))
    ),
    "q: options overlap or are empty": lambda: net(options({0, 1}, {1}, given={0, 1})),
    "q: options are outside of the given candidates": lambda: net(options({0, 1}, given={0})),
    "q has other candidates at another place": lambda: net(
        chain(
            choose(QUESTION, (chain(), chain())),
            choose(Decision("q", ("b", "a")), (chain(), chain())),
        )
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_network_is_found(message: str) -> None:
    with pytest.raises(GraphError, match=f"^{re.escape(message)}$"):
        verify(BROKEN[message]())


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (options(set(), given={0, 1}), "q: options overlap or are empty"),
        (options({0}, given={0, 2}), "q: options are outside of the given candidates"),
    ],
)
def test_other_ways_to_break_a_choice(choice: Choice, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        verify(net(choice))


def test_an_open_decision_is_not_discrete() -> None:
    with pytest.raises(GraphError, match=r"^q is undecided: derive the network first$"):
        verify_discrete(net(choose(QUESTION, (chain(), CONV))))
