"""Cells and networks: what lives in them, and what a walk sees."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    BatchNorm,
    Cell,
    Conv,
    Decision,
    Edge,
    Expr,
    GlobalAvgPool,
    Linear,
    Network,
    Op,
    ReLU,
    Shape,
    Step,
    Zero,
    chain,
    choose,
    connected,
    name_slots,
    verify,
    walk_network,
)
from archwright.graph.traverse import LiveParts, live_parts
from archwright.spaces.discretise import random_architecture

from ..strategies import any_space, images, networks, seeded, tiny

IMAGE = Shape(2, 4, 4)


def conv(name: str) -> Expr:
    return name_slots(chain(Conv(2, 2, 3)), name)


NOTHING = chain(Zero(2))


def network(*edges: tuple[int, int, Expr], nodes: int, output: tuple[int, ...]) -> Network:
    """Two steps, the cell with the given edges over both of them, and a classifier."""
    body = tuple(Edge(*edge) for edge in sorted(edges, key=lambda e: e[1]))
    cell = Cell("hand", (conv("in0"), conv("in1")), nodes, body, output)
    head = name_slots(chain(GlobalAvgPool(), Linear(2 * len(output), 3)), "head")
    return Network(
        IMAGE,
        (
            Step("a", conv("a"), (INPUT,)),
            Step("b", conv("b"), ("a",)),
            Step("cell", cell, ("a", "b")),
            Step("head", head, ("cell",)),
        ),
    )


def live_slots(net: Network) -> set[str]:
    """The slots with weights that a walk over live parts visits."""
    found: set[str] = set()

    def visit(module: Op, shape: Shape) -> None:
        if module.primitive.params:
            found.add(module.slot)

    walk_network(net, visit, live=True)
    return found


def used_slots(net: Network) -> set[str]:
    """The slots whose outputs change with the image, and the logits with their weights."""
    module = seeded(net)
    made: dict[str, list[torch.Tensor]] = {name: [] for name in module.slots}
    names = {part: name for name, part in module.slots.items()}

    def keep(part: nn.Module, given: object, out: torch.Tensor) -> None:
        made[names[part]].append(out.detach())

    for part in names:
        part.register_forward_hook(keep)
    for seed in (0, 1):
        logits, _ = module(images(net, batch=8, seed=seed))
    (logits * torch.randn_like(logits)).sum().backward()
    return {
        name
        for name, part in module.slots.items()
        if any(p.grad is not None and p.grad.abs().max() > 1e-12 for p in part.parameters())
        and not torch.equal(*made[name])
    }


@pytest.mark.parametrize(
    ("net", "inputs", "edges"),
    [
        pytest.param(
            network((0, 2, conv("x")), (1, 3, conv("y")), nodes=2, output=(2, 3)),
            {0, 1},
            {0, 1},
            id="all",
        ),
        pytest.param(
            network((0, 2, conv("x")), (1, 3, conv("y")), nodes=2, output=(2,)),
            {0},
            {0},
            id="a node that leads nowhere",
        ),
        pytest.param(
            network((0, 2, NOTHING), (2, 3, conv("x")), (1, 3, conv("y")), nodes=2, output=(3,)),
            {1},
            {2},
            id="a node that nothing reaches",
        ),
        pytest.param(
            network((0, 2, conv("x")), (2, 3, NOTHING), (1, 3, conv("y")), nodes=2, output=(3,)),
            {1},
            {2},
            id="a node whose only way on is zero",
        ),
        pytest.param(
            network((0, 2, conv("x")), nodes=1, output=(2, 1)),
            {0, 1},
            {0},
            id="an input that is an output",
        ),
    ],
)
def test_live_parts_of_a_cell(net: Network, inputs: set[int], edges: set[int]) -> None:
    verify(net)
    assert connected(net)
    assert live_parts(net)["cell"] == LiveParts(frozenset(inputs), frozenset(edges))
    assert live_slots(net) == used_slots(net)
    assert ("b/0" in live_slots(net)) == (1 in inputs)


def test_a_network_cut_in_two_has_no_live_part() -> None:
    net = network((0, 2, NOTHING), (1, 2, NOTHING), nodes=1, output=(2,))
    verify(net)
    assert not connected(net)
    assert live_parts(net) == {}


def test_what_stands_behind_a_cut_is_dead_although_logits_read_it() -> None:
    net = network((0, 2, conv("x")), (1, 2, conv("y")), nodes=1, output=(2,))
    cut = Step("b", NOTHING, ("a",))
    steps = (net.steps[0], cut, *net.steps[2:])
    dead = Network(IMAGE, steps)
    assert live_slots(dead) == used_slots(dead) == {"a/0", "in0/0", "x/0", "head/1"}


def test_an_input_that_is_zero_is_dead() -> None:
    net = network((0, 2, conv("x")), nodes=1, output=(2, 1))
    cell = net.steps[2].body
    assert isinstance(cell, Cell)
    silent = replace(net.steps[2], body=replace(cell, inputs=(cell.inputs[0], NOTHING)))
    dead = replace(net, steps=(*net.steps[:2], silent, net.steps[3]))
    assert live_parts(dead)["cell"] == LiveParts(frozenset({0}), frozenset({0}))
    assert live_slots(dead) == used_slots(dead) == {"a/0", "in0/0", "x/0", "head/1"}


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_module_lives_if_autograd_says_so(space: str, seed: int) -> None:
    declared, size = any_space(space), tiny(space)
    architecture = random_architecture(declared, size, np.random.default_rng(seed))
    net = declared.discrete(architecture, size)
    assert live_slots(net) == used_slots(net)


@given(networks())
def test_random_networks_are_valid(net: Network) -> None:
    verify(net)
    shapes = walk_network(net)
    assert shapes[net.output] == (4, 1, 1)
    assert set(shapes) == {INPUT, *(step.name for step in net.steps)}


@given(networks())
def test_a_walk_visits_what_the_network_lists(net: Network) -> None:
    seen: list[Op] = []
    walk_network(net, lambda module, shape: seen.append(module))
    assert sorted(map(repr, seen)) == sorted(map(repr, net.modules()))


def test_decisions_are_listed_once_in_order() -> None:
    first, second = Decision("first", ("a",)), Decision("second", ("a",))
    edges = (
        (0, 2, choose(second, (chain(),))),
        (0, 2, choose(first, (chain(),))),
        (1, 2, choose(second, (chain(),))),
    )
    assert network(*edges, nodes=1, output=(2,)).decisions() == (second, first)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (chain(Conv(3, 2, 1)), "^cell: edge 1->2: module 0 .pw.: pw takes 3 channels, got 2$"),
        (
            choose(Decision("d", ("x", "y")), (chain(), chain(ReLU(), BatchNorm(5)))),
            "^cell: edge 1->2: d, candidate y: module 1 .bn.: bn takes 5 channels, got 2$",
        ),
        (chain(Conv(2, 7, 1)), "^cell: the edges into node 2 disagree: 2x4x4, 7x4x4$"),
    ],
)
def test_a_shape_error_names_step_and_edge(body: Expr, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        walk_network(network((0, 2, conv("x")), (1, 2, body), nodes=1, output=(2,)))
