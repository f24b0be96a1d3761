"""Peak memory of features, compared with a machine that keeps tensors until their last reader."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from archwright.cost import peak_bytes
from archwright.cost.peak import fixed_peak_bytes
from archwright.errors import GraphError
from archwright.graph import INPUT, Cell, Chain, Conv, Edge, Network, Op, ReLU, Shape, Step, chain
from archwright.spaces import get_space, read_architecture
from archwright.spaces.discretise import random_architecture

from ..strategies import any_space, tiny

FLOAT = 4


def series(expr: Chain, shape: Shape) -> list[Shape]:
    """The shapes that a chain of modules makes."""
    found: list[Shape] = []
    for item in expr.items:
        assert isinstance(item, Op), "these chains have no branches"
        shape = item.primitive.out_shape(shape)
        found.append(shape)
    return found


def size(shape: Shape) -> int:
    return shape.channels * shape.height * shape.width


def test_a_chain_holds_two_neighbours() -> None:
    body = chain(Op(Conv(3, 8, 3), "a"), ReLU(), Op(Conv(8, 2, 3, 2), "b"))
    network = Network(Shape(3, 8, 8), (Step("only", body, (INPUT,)),))
    made = [Shape(3, 8, 8), *series(body, Shape(3, 8, 8))]
    pairs = [size(one) + size(other) for one, other in pairwise(made)]
    assert peak_bytes(network) == FLOAT * max(pairs)


def test_a_tensor_exists_until_its_last_reader() -> None:
    def network(*edges: Edge) -> Network:
        cell = Cell("cell", (Chain(),), 2, edges, (2,))
        return Network(Shape(4, 4, 4), (Step("cell", cell, (INPUT,)),))

    relu = chain(ReLU())
    one = FLOAT * 64
    assert peak_bytes(network(Edge(0, 1, relu), Edge(1, 2, relu))) == 2 * one
    # the input waits for the second node, while the first one is made and worked on
    assert peak_bytes(network(Edge(0, 1, relu), Edge(0, 2, relu), Edge(1, 2, relu))) == 3 * one


def simulated(network: Network) -> int:
    """The peak of a network of one cell, its edges single modules or wires, by counting readers."""
    (step,) = network.steps
    assert isinstance(step.body, Cell), "the network is one cell"
    cell, each = step.body, size(network.image)
    readers = Counter(edge.source for edge in cell.edges)
    readers.update(cell.output)
    held: dict[str, int] = {"node0": readers[0]}
    names = {0: "node0"}
    peak = each
    for node in cell.inner():
        total: str | None = None
        for number, edge in enumerate(cell.into(node)):
            source = names[edge.source]
            if isinstance(edge.body, Chain) and not edge.body.items:
                end = source
            else:
                end = f"{node}/{number}"
                held[end] = 1
                peak = max(peak, len(held) * each)
                held[source] -= 1
                if not held[source]:
                    del held[source]
            if total is None:
                total = end
                continue
            in_place = next((name for name in (total, end) if held[name] == 1), None)
            if in_place is None:
                in_place = f"sum{node}/{number}"
                held[in_place] = 1
                peak = max(peak, len(held) * each)
                for name in (total, end):
                    held[name] -= 1
            else:
                other = end if in_place == total else total
                held[other] -= 1
            for name in (total, end):
                if name in held and not held[name]:
                    del held[name]
            total = in_place
        assert total is not None, "every node has an edge"
        names[node] = total
        held[total] += readers[node] - 1
    return FLOAT * peak


@pytest.mark.parametrize("seed", range(60))
def test_random_cells_against_a_machine_that_counts(seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes = int(generator.integers(1, 5))
    edges: list[Edge] = []
    for target in range(1, nodes + 1):
        kept = [s for s in range(target) if generator.random() < 0.6] or [target - 1]
        bodies = [chain(ReLU()) if generator.random() < 0.7 else Chain() for _ in kept]
        edges += [Edge(s, target, body) for s, body in zip(kept, bodies, strict=True)]
    used = {nodes}
    for edge in reversed(edges):
        if edge.target in used:
            used.add(edge.source)
    live = tuple(edge for edge in edges if edge.target in used)
    names = {old: new for new, old in enumerate(sorted({0, *used}))}
    live = tuple(Edge(names[e.source], names[e.target], e.body) for e in live)
    cell = Cell("cell", (Chain(),), len(names) - 1, live, (len(names) - 1,))
    network = Network(Shape(2, 3, 3), (Step("cell", cell, (INPUT,)),))
    assert peak_bytes(network) == simulated(network), network


def test_dead_edges_hold_nothing() -> None:
    space = get_space("nasbench201")
    bare = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    dead = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"
    one, other = (
        peak_bytes(space.discrete(read_architecture(t), tiny("nasbench201"))) for t in (bare, dead)
    )
    assert one == other


def test_an_open_decision_has_no_peak() -> None:
    space = get_space("nasbench201")
    with pytest.raises(GraphError, match="cell/0->1 is undecided: derive the network first"):
        peak_bytes(space.supernet(tiny("nasbench201")))


def test_wider_elements_take_more() -> None:
    space = get_space("darts")
    one = random_architecture(space, tiny("darts"), np.random.default_rng(0))
    network = space.discrete(one, tiny("darts"))
    assert peak_bytes(network, element_bytes=8) == 2 * peak_bytes(network)


@pytest.mark.parametrize("name", ["nasbench201", "darts", "spos", "user", "toponas-4"])
def test_no_network_is_below_what_is_run_anyway(name: str) -> None:
    space, size = any_space(name), tiny(name)
    floor = fixed_peak_bytes(space.supernet(size, searched=False))
    generator = np.random.default_rng(0)
    drawn = [random_architecture(space, size, generator) for _ in range(40)]
    assert 0 < floor <= min(peak_bytes(space.discrete(one, size)) for one in drawn)


def test_a_step_that_a_path_avoids_is_not_in_the_lower_bound() -> None:
    wide = chain(Op(Conv(3, 64, 3), "a"), Op(Conv(64, 3, 3), "b"))
    cell = Cell(
        "join", (Chain(()), Chain(())), 1, (Edge(0, 2, Chain(())), Edge(1, 2, Chain(()))), (2,)
    )
    last = Step("last", Op(Conv(3, 1, 1), "c"), ("join",))
    around = Network(
        Shape(3, 8, 8), (Step("wide", wide, (INPUT,)), Step("join", cell, (INPUT, "wide")), last)
    )
    assert fixed_peak_bytes(around) == FLOAT * 64 * (3 + 1)
    through = Network(Shape(3, 8, 8), (around.steps[0], Step("last", last.body, ("wide",))))
    assert fixed_peak_bytes(through) == FLOAT * 64 * (3 + 64) == peak_bytes(through)
