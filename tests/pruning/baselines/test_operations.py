"""Operation-level pruning, and networks that are narrower from the start."""

import pytest
import torch
from torch.nn import functional

from archwright.backends import LogitsModule, Session, max_error, to_onnx
from archwright.cost import graph_cost
from archwright.errors import ConfigError
from archwright.graph import Cell, Network, verify_discrete
from archwright.graph.traverse import connected
from archwright.lowering import GraphModule
from archwright.pruning.baselines import operations
from archwright.pruning.baselines.operations import (
    EdgeKey,
    EdgeScore,
    describe,
    loss_scores,
    prune_edges,
    removable,
    select_edges,
    taylor_edge_scores,
    without_edges,
)
from archwright.pruning.baselines.scale_width import scale_width
from archwright.pruning.leave_one_out import ROUNDS
from archwright.pruning.reconstruction import reset_bn_statistics
from archwright.tasks import CLASSIFICATION

from .nets import DARTS, NB201, graph, images, network, spec

LABELS = torch.tensor([3, 7])


@pytest.mark.parametrize("text", [DARTS, NB201])
def test_edges_of_cells_can_go_and_those_of_residual_blocks_cannot(text: str) -> None:
    network = graph(text)
    steps = {step.name: step.body for step in network.steps}
    cells = {step for step, _ in removable(network)}
    assert cells == {name for name in steps if name.startswith("cell")}
    cell = steps["cell0"]
    assert isinstance(cell, Cell)
    own = [position for step, position in removable(network) if step == "cell0"]
    assert len(own) == len(cell.edges) - (text == NB201)  # one of its edges adds nothing


def test_removing_nothing_changes_nothing() -> None:
    assert without_edges(graph(), frozenset()) == graph()


@pytest.mark.parametrize("text", [DARTS, NB201])
def test_a_network_without_edges_is_the_sum_of_the_others(text: str) -> None:
    whole = network(text)
    gone = frozenset(removable(whole.network)[::2])
    cut = without_edges(whole.network, gone)
    verify_discrete(cut)
    made = GraphModule(cut).eval()
    state = whole.state_dict()
    made.load_state_dict({name: state[name] for name in made.state_dict()})
    for step in whole.network.steps:  # what the removed edges end with gives zeros instead
        if isinstance(step.body, Cell):
            for at, edge in enumerate(step.body.edges):
                if (step.name, at) in gone:
                    _silence(whole, step.name, at)
                    assert edge.target in step.body.inner()
    torch.testing.assert_close(made(images())[0], whole(images())[0])
    assert max_error(LogitsModule(made), Session(to_onnx(made)), cut.image) < 1e-5


def _silence(whole: GraphModule, step: str, position: int) -> None:
    """Multiply an edge by zero where the network evaluates it."""
    original = whole._edge
    cell = next(s.body for s in whole._steps if s.name == step)
    assert isinstance(cell, Cell)
    silent = cell.edges[position].body

    def edge(body, x, weights, drop_path):
        made = original(body, x, weights, drop_path)
        return torch.zeros_like(made) if body is silent else made

    whole._edge = edge  # type: ignore[method-assign]


def test_a_score_is_what_the_loss_changes_to_first_order() -> None:
    whole = network()
    scores = taylor_edge_scores(CLASSIFICATION, whole, [(images(), LABELS)])
    assert list(scores) == removable(whole.network)
    key = max(scores, key=scores.__getitem__)
    step, position = key
    cell = next(s.body for s in whole._steps if s.name == step)
    assert isinstance(cell, Cell)
    body, original = cell.edges[position].body, whole._edge
    factor = torch.ones((), requires_grad=True)

    def edge(given, x, weights, drop_path):
        made = original(given, x, weights, drop_path)
        return made * factor if given is body else made

    whole._edge = edge  # type: ignore[method-assign]
    loss = functional.cross_entropy(whole(images())[0], LABELS)
    (slope,) = torch.autograd.grad(loss, factor)
    assert scores[key] == pytest.approx(abs(float(slope)), rel=1e-4)


def test_an_operation_is_tried_without_the_others_that_are_gone() -> None:
    """Its score is what the loss rises by, statistics taken anew, as it is for nodes."""
    whole = network()
    gone, *keys = removable(whole.network)
    scores = loss_scores(CLASSIFICATION, whole, frozenset({gone}), [(images(), LABELS)])
    assert list(scores) == keys

    def loss(removed: frozenset[EdgeKey]) -> float:
        made = GraphModule(without_edges(whole.network, removed)).eval()
        state = whole.state_dict()
        made.load_state_dict({name: state[name] for name in made.state_dict()})
        reset_bn_statistics(made, images())
        return float(functional.cross_entropy(made(images())[0], LABELS).detach())

    now = loss(frozenset({gone}))
    for key in keys[::5]:
        assert scores[key] == pytest.approx(loss(frozenset({gone, key})) - now, abs=1e-5)


def test_operations_are_tried_again_when_others_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either of two can be spared for the other's sake, but not both."""
    whole = network()
    convs = [key for key in removable(whole.network) if _saves(whole.network, key)]
    first, second, third, *_ = [key for key in convs if key[0] == "cell0"][::2] + convs[8:]
    seen: list[frozenset[EdgeKey]] = []

    def scores(task, given, removed: frozenset[EdgeKey], batches) -> dict[EdgeKey, float]:
        seen.append(removed)
        found = dict.fromkeys(removable(whole.network), 5.0)
        found |= {first: 0.1, second: 9.0 if first in removed else 0.2, third: 1.0}
        return {key: value for key, value in found.items() if key not in removed}

    monkeypatch.setattr(operations, "loss_scores", scores)
    both = graph_cost(without_edges(whole.network, frozenset({first, third})), live=True).macs
    pruned, removed = prune_edges(CLASSIFICATION, whole, both, [(images(), LABELS)])
    assert seen[0] == frozenset()
    assert len(seen) == ROUNDS
    assert first in seen[1]
    assert second not in removed
    assert graph_cost(pruned.network, live=True).macs <= both


def _saves(network: Network, key: EdgeKey) -> bool:
    before = graph_cost(network, live=True).macs
    return graph_cost(without_edges(network, frozenset({key})), live=True).macs < before


@pytest.mark.parametrize("score", ["loss", "taylor"])
def test_what_is_left_has_the_weights_that_it_had(score: EdgeScore) -> None:
    whole = network()
    pruned, removed = prune_edges(
        CLASSIFICATION,
        whole,
        0.8 * graph_cost(whole.network).macs,
        [(images(), LABELS)],
        score=score,
    )
    assert pruned.network == without_edges(whole.network, removed)
    assert graph_cost(pruned.network, live=True).macs <= 0.8 * graph_cost(whole.network).macs
    state = whole.state_dict()
    for name, value in pruned.state_dict().items():
        assert torch.equal(value, state[name])  # statistics, too: tries are made on copies


def test_operations_that_are_gone_are_the_first_to_stay_away() -> None:
    whole = graph()
    scores = {key: float(rank) for rank, key in enumerate(removable(whole))}
    last = max(scores, key=scores.__getitem__)
    macs = 0.727 * graph_cost(whole).macs
    assert last not in select_edges(whole, scores, macs)
    convs = [key for key in scores if _saves(whole, key)]
    assert convs[-1] in select_edges(whole, scores, macs, frozenset({convs[-1]}))


def test_scores_leave_the_network_as_it_was() -> None:
    whole = network()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    taylor_edge_scores(CLASSIFICATION, whole, [(images(), LABELS)])
    loss_scores(CLASSIFICATION, whole, frozenset(), [(images(), LABELS)])
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("share", [0.9, 0.727, 0.5])
def test_the_weakest_edges_go_and_no_more_than_must(share: float) -> None:
    whole = graph()
    macs = share * graph_cost(whole).macs
    order = removable(whole)
    scores = {key: float(rank) for rank, key in enumerate(order)}
    removed = select_edges(whole, scores, macs)
    left = graph_cost(without_edges(whole, removed), live=True).macs
    assert left <= macs
    for key in removed:  # each of them is needed
        assert graph_cost(without_edges(whole, removed - {key}), live=True).macs > macs
    assert order[0] in removed  # a conv, and the weakest
    assert order[-1] not in removed


def test_a_node_keeps_an_edge_as_long_as_others_can_go() -> None:
    whole = graph()
    first = {key: 0.0 if key[0] == "cell0" and key[1] < 2 else 1.0 for key in removable(whole)}
    removed = select_edges(whole, first, 0.727 * graph_cost(whole).macs)
    assert len(removed & {("cell0", 0), ("cell0", 1)}) == 1


def test_nodes_are_emptied_where_nothing_else_can_go() -> None:
    whole = graph()
    macs = 0.49 * graph_cost(whole).macs
    removed = select_edges(whole, dict.fromkeys(removable(whole), 1.0), macs)
    assert {("cell0", 0), ("cell0", 1)} <= removed
    cut = without_edges(whole, removed)
    assert graph_cost(cut, live=True).macs <= macs
    verify_discrete(cut)


def test_a_way_from_the_image_to_the_logits_is_left() -> None:
    whole = graph(NB201)
    importance = dict.fromkeys(removable(whole), 1.0)
    removed = select_edges(whole, importance, 0.8 * graph_cost(whole).macs)
    assert connected(without_edges(whole, removed))
    with pytest.raises(ConfigError, match="operation pruning cannot come down to"):
        select_edges(whole, importance, 0.01 * graph_cost(whole).macs)


def test_what_went_is_said_by_cell() -> None:
    assert describe(graph(), frozenset({("cell0", 0), ("cell0", 3), ("cell2", 1)})) == (
        "cell0:0->2,1->3 cell2:1->2"
    )


def test_too_few_macs_are_named_with_the_least_that_can_be() -> None:
    whole = graph()
    with pytest.raises(
        ConfigError,
        match=r"operation pruning cannot come down to 10 MACs: [\d,]+ of [\d,]+ are left without "
        r"any edge that saves some; ask for no less",
    ):
        select_edges(whole, dict.fromkeys(removable(whole), 1.0), 10)


@pytest.mark.parametrize("share", [0.99, 0.6, 0.4])
def test_a_narrower_network_is_the_widest_that_may_be(share: float) -> None:
    whole = spec(channels=10)
    macs = share * whole.macs
    made = scale_width(whole, macs, round_to=1)
    assert made.macs <= macs
    assert made.size.channels < 10
    wider = spec(channels=made.size.channels + 1)
    assert wider.macs > macs


@pytest.mark.parametrize(
    ("channels", "round_to", "share", "expected"),
    [
        *((16, None, 0.9, 12), (18, None, 0.9, 16), (18, None, 1.0, 18), (40, None, 0.9, 36)),
        *((16, 5, 0.9, 15), (6, None, 0.9, 5)),
    ],
)
def test_the_width_of_a_narrower_network_is_one_that_runs_fast(
    channels: int, round_to: int | None, share: float, expected: int
) -> None:
    whole = spec(channels=channels)
    made = scale_width(whole, share * whole.macs, round_to=round_to)
    assert made.size.channels == expected


def test_a_width_that_is_too_small_is_named() -> None:
    with pytest.raises(
        ConfigError,
        match=r"no width of this network comes down to 10 MACs: the narrowest has [\d,]+; ask for",
    ):
        scale_width(spec(), 10)
