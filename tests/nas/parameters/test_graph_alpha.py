import pytest
import torch

from archwright.graph import Network
from archwright.graph.passes.simplification import Simplification, simplify
from archwright.nas.parameters.graph_alpha import GraphAlpha
from archwright.nas.parameters.none_op import none_candidates
from archwright.spaces import Size, get_space
from archwright.spaces.discretise import discretise

SIZES = {
    "nasbench201": Size(channels=4, cells=1, image_size=8),
    "darts": Size(channels=4, cells=3, image_size=8),
    "spos": Size(channels=8, cells=4, image_size=16),
    "toponas-4": Size(channels=4, cells=3, image_size=8),
}


def supernet(name: str) -> Network:
    return get_space(name).supernet(SIZES[name])


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("simplified", [False, True])
def test_null_candidates_are_read_off_the_graph(name: str, simplified: bool) -> None:
    network = supernet(name)
    if simplified:
        network = simplify(network, Simplification())
    for decision, found in zip(network.decisions(), none_candidates(network), strict=True):
        names = [decision.candidates[index] for index in found]
        assert names == [c for c in decision.candidates if c == "none"]


def test_every_candidate_weighs_the_same_at_the_start() -> None:
    for name in SIZES:
        logits = GraphAlpha(supernet(name), deviation=0.0)()
        p = logits.candidates.exp()
        assert torch.allclose(p[p > 0], 1 / (p > 0).sum(dim=1).max().float())


def test_connections_and_operations_are_factored() -> None:
    alpha = GraphAlpha(supernet("nasbench201"), deviation=1.0).double()
    torch.manual_seed(0)
    c, a = torch.randn(6).double(), torch.randn(6, 5).double()
    log_p = alpha.distribution(c, a).candidates
    assert torch.allclose(log_p.exp().sum(dim=1), torch.ones(6).double())
    assert torch.allclose(log_p[:, 0].exp(), 1 - torch.sigmoid(c))
    inside = log_p[:, 1:].exp() / torch.sigmoid(c)[:, None]
    assert torch.allclose(inside, a[:, 1:].softmax(dim=1))  # the null's own logit has no say
    assert alpha.distribution(c, a).edge_weights is None


def test_an_operations_gradient_leaves_its_connection_alone() -> None:
    alpha = GraphAlpha(supernet("nasbench201"), deviation=0.0)
    log_p = alpha().candidates
    (log_p[0, 3] - log_p[0, 1]).backward()
    assert alpha.edges is not None
    assert alpha.edges.grad is not None
    assert alpha.edges.grad.abs().max() < 1e-7
    assert alpha.candidates.grad is not None
    assert alpha.candidates.grad[0].tolist() == pytest.approx([0, -1, 0, 1, 0], abs=1e-6)


def test_where_nothing_is_null_connections_share_their_node() -> None:
    alpha = GraphAlpha(supernet("toponas-4"), deviation=0.0)
    edge_weights = alpha().edge_weights
    assert edge_weights is not None
    by_node: dict[int, float] = {}
    for node, share in zip(alpha._nodes.tolist(), edge_weights.tolist(), strict=True):
        by_node[node] = by_node.get(node, 0.0) + share
    assert list(by_node.values()) == pytest.approx([1.0] * len(by_node))


def test_presence_ranks_the_edges_of_a_node_that_keeps_two() -> None:
    space, size = get_space("darts"), SIZES["darts"]
    network = supernet("darts")
    alpha = GraphAlpha(network, deviation=0.0).double()
    c = torch.linspace(-1, 1, 28).double()
    rows = alpha.distribution(c, torch.zeros(28, 8).double()).candidates.exp()
    weights = {
        decision.name: row[: len(decision.candidates)].tolist()
        for decision, row in zip(network.decisions(), rows, strict=True)
    }
    found = discretise(space, size, weights)
    last = found.cells["normal"].nodes[-1]
    assert {pick.source for pick in last} == {3, 4}  # those of the largest c


@pytest.mark.parametrize("left", [[0], [3], [0, 2], [1, 2, 4], [0, 1, 2, 3, 4]])
def test_what_was_dropped_has_no_weight_and_no_gradient(left: list[int]) -> None:
    alpha = GraphAlpha(supernet("nasbench201"), deviation=1.0).double()
    before = alpha().candidates.detach().exp()
    mask = torch.ones(6, 5, dtype=torch.bool)
    mask[2] = False
    mask[2, left] = True
    alpha.keep(mask)
    log_p = alpha().candidates
    p = log_p.exp()
    assert torch.equal(p[2] > 0, mask[2])
    assert torch.allclose(p.sum(dim=1), torch.ones(6).double())
    others = [row for row in range(6) if row != 2]
    assert torch.allclose(p[others], before[others])
    inside = [column for column in left if column > 0]  # 0 is the null
    if inside:
        assert torch.allclose(
            p[2, inside] / p[2, inside].sum(), before[2, inside] / before[2, inside].sum()
        )
    log_p[2, left].square().sum().backward()
    for parameter in alpha.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert alpha.candidates.grad is not None
    assert alpha.candidates.grad[2, ~mask[2]].abs().sum() == 0


def test_a_connection_that_is_gone_leaves_its_node_to_the_others() -> None:
    alpha = GraphAlpha(supernet("toponas-4"), deviation=1.0)
    mask = ~alpha._padding.isinf()
    row = 5
    mask[row] = False
    alpha.keep(mask)
    logits = alpha()
    assert logits.edge_weights is not None
    assert logits.edge_weights[row] == 0
    siblings = alpha._nodes == alpha._nodes[row]
    assert float(logits.edge_weights.detach()[siblings].sum()) == pytest.approx(1.0)
    assert logits.candidates.isfinite().any(dim=1).all()  # a mixture of its candidates is defined
