"""Costs computed from a graph, on networks small enough to count by hand."""

from archwright.cost import GraphCost, graph_cost
from archwright.graph import (
    INPUT,
    Cell,
    Conv,
    Edge,
    GlobalAvgPool,
    Linear,
    Network,
    Op,
    Shape,
    Step,
    Zero,
    chain,
)

CONV = Op(Conv(2, 2, 3), "shared")
HEAD = chain(GlobalAvgPool(), Op(Linear(2, 5), "head"))


def network(*edges: Edge, auxiliary: bool = False) -> Network:
    cell = Cell("kind", (chain(),), 2, edges, (1,))
    steps = [Step("cell", cell, (INPUT,))]
    if auxiliary:
        pooled = chain(GlobalAvgPool(), Op(Linear(2, 7), "auxiliary"))
        steps.append(Step("auxiliary", pooled, ("cell",)))
    return Network(
        Shape(2, 4, 4), (*steps, Step("head", HEAD, ("cell",))), "auxiliary" if auxiliary else ""
    )


EDGES = (Edge(0, 1, chain(CONV, CONV)), Edge(0, 2, chain(Op(Conv(2, 2, 1), "dead"))))
SHARED, DEAD, CLASSIFIER = 2 * 2 * 9, 2 * 2, (2 + 1) * 5


def test_a_shared_slot_counts_once_and_works_twice() -> None:
    expected = GraphCost(SHARED + DEAD + CLASSIFIER, (2 * SHARED + DEAD) * 16 + 10)
    assert graph_cost(network(*EDGES)) == expected


def test_live_cost_leaves_out_what_leads_nowhere() -> None:
    expected = GraphCost(SHARED + CLASSIFIER, 2 * SHARED * 16 + 10)
    assert graph_cost(network(*EDGES), live=True) == expected
    cut = network(Edge(0, 1, chain(CONV, Zero(2))), Edge(0, 2, chain()))
    assert graph_cost(cut, live=True) == GraphCost(0, 0)


def test_an_auxiliary_head_is_left_out() -> None:
    for live in (False, True):
        with_head = graph_cost(network(*EDGES, auxiliary=True), live=live)
        assert with_head == graph_cost(network(*EDGES), live=live)
