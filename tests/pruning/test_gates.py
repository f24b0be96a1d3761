"""Gates and other scores, and learning from the unpruned network."""

import pytest
import torch
from torch.nn import functional

from archwright.graph.passes.rewire import deletable
from archwright.lowering import GraphModule
from archwright.pruning.distill import distillation
from archwright.pruning.gates import (
    Gates,
    gate_scores,
    gated_network,
    random_scores,
    sparsity,
    taylor_scores,
)
from archwright.spaces import get_space, read_architecture
from archwright.tasks import CLASSIFICATION

from ..engine.helpers import CELL
from ..strategies import images, seeded, tiny


def small() -> tuple[GraphModule, Gates, GraphModule]:
    """A gated network in float64, its gates, and the network without them."""
    whole = get_space("nasbench201").discrete(read_architecture(CELL), tiny("nasbench201"))
    plain = seeded(whole).eval()
    gated, gates = gated_network(whole, plain.state_dict())
    gated = gated.double().eval()
    gated.load_state_dict(plain.state_dict(), strict=False)
    return gated, gates, plain


def test_gates_start_at_one_on_every_node_that_can_go() -> None:
    gated, gates, plain = small()
    assert tuple(gates) == deletable(plain.network)
    assert gate_scores(gates) == dict.fromkeys(gates, 1.0)
    x = images(plain.network)
    assert torch.equal(gated(x)[0], plain(x)[0])


def test_a_gate_counts_by_its_size() -> None:
    _, gates, _ = small()
    node = next(iter(gates))
    with torch.no_grad():
        gates[node].fill_(-0.5)
    assert gate_scores(gates)[node] == 0.5


def test_sparsity_is_the_sum_of_all_gates() -> None:
    _, gates, plain = small()
    with torch.no_grad():
        for number, gate in enumerate(gates.values()):
            gate.fill_(number - 2.5)
    x = images(plain.network)
    loss = sparsity(gates, 0.3)(x, x)
    assert loss.item() == pytest.approx(0.3 * sum(abs(n - 2.5) for n in range(len(gates))))
    slopes = torch.autograd.grad(loss, list(gates.values()))
    signs = [-1, -1, -1, *[1] * (len(gates) - 3)]
    assert [slope.item() for slope in slopes] == pytest.approx([0.3 * sign for sign in signs])


def test_the_first_order_change_is_the_slope_of_the_loss() -> None:
    gated, gates, plain = small()
    x = images(plain.network, batch=6)
    labels = torch.tensor([0, 1, 2, 3, 4, 5])
    with torch.no_grad():
        for number, gate in enumerate(gates.values()):
            gate.fill_(0.5 + 0.1 * number)
    batches = [(x[:3], labels[:3]), (x[3:], labels[3:])]
    gated.train()
    scores = taylor_scores(CLASSIFICATION, gated, gates, batches)
    assert gated.training

    def loss(batch: int) -> float:
        given, wanted = batches[batch]
        return functional.cross_entropy(gated(given)[0], wanted).item()

    gated.eval()
    step = 1e-6
    for node, gate in gates.items():
        slopes: list[float] = []
        for batch in range(2):
            sides: list[float] = []
            for sign in (1, -1):
                with torch.no_grad():
                    gate.add_(sign * step)
                    sides.append(loss(batch))
                    gate.sub_(sign * step)
            slopes.append(abs((sides[0] - sides[1]) / (2 * step) * gate.item()))
        assert scores[node] == pytest.approx(sum(slopes) / 2, rel=1e-4, abs=1e-7)


def test_random_scores_depend_on_the_seed_alone() -> None:
    nodes = [("cell0", 1), ("cell0", 2), ("cell1", 1)]
    first = random_scores(nodes, 3)
    assert first == random_scores(nodes, 3)
    assert list(first) == nodes
    assert len(set(first.values())) == 3
    assert first != random_scores(nodes, 4)


def test_distillation_is_the_divergence_from_the_teacher() -> None:
    _, _, teacher = small()
    x = images(teacher.network, batch=4).float()
    teacher = teacher.float().train()
    logits = torch.randn(4, 10, requires_grad=True)
    loss = distillation(CLASSIFICATION, teacher, 0.7, 3.0)(x, logits)
    assert not teacher.training
    wanted = torch.log_softmax(teacher(x)[0] / 3.0, 1)
    given = torch.log_softmax(logits / 3.0, 1)
    divergence = (wanted.exp() * (wanted - given)).sum(1).mean()
    torch.testing.assert_close(loss, 0.7 * 9 * divergence)
    loss.backward()
    assert logits.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())
    same = distillation(CLASSIFICATION, teacher, 1.0, 2.0)(x, teacher(x)[0])
    assert same.item() == pytest.approx(0, abs=1e-6)
