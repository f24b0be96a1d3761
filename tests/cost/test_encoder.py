"""Embeddings depend on their neighbours and on weights, and on nothing else."""

import pytest
import torch
from torch import Tensor

from archwright.cost import DecisionTable, Encoding, GraphEncoder
from archwright.spaces import get_space

from ..strategies import ALL_SPACES, any_space, tiny

NONE, SKIP, ONE, THREE, POOL = range(5)


def encoder(name: str = "nasbench201", *, rounds: int = 2) -> GraphEncoder:
    torch.manual_seed(0)
    layout = DecisionTable(any_space(name), tiny(name))
    return GraphEncoder(Encoding(layout), width=8, rounds=rounds).double()


def picked(*columns: int) -> Tensor:
    return torch.eye(5, dtype=torch.float64)[list(columns)]


@pytest.mark.parametrize("name", ALL_SPACES)
def test_every_candidate_of_every_space_is_embedded(name: str) -> None:
    layout = DecisionTable(any_space(name), tiny(name))
    encode = GraphEncoder(Encoding(layout), width=8)
    found = encode()
    assert found.shape == (*layout.present.shape, 8)
    assert found.isfinite().all()
    assert not found[layout.present == 0].any()
    assert (found[layout.present > 0].abs().sum(dim=-1) > 0).all()


def test_without_weights_all_weigh_alike() -> None:
    encode = encoder()
    even = torch.full((6, 5), 0.2, dtype=torch.float64)
    torch.testing.assert_close(encode(), encode(even))


def test_several_weights_at_once_are_each_by_itself() -> None:
    encode = encoder()
    weights = torch.rand(2, 3, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(encode(weights)[1, 2], encode(weights[1, 2]))
    torch.testing.assert_close(encode.states(weights)[1, 2], encode.states(weights[1, 2]))


def test_it_is_differentiable_in_the_weights() -> None:
    encode = encoder()
    weights = torch.rand(6, 5, dtype=torch.float64).softmax(dim=-1).requires_grad_()
    assert torch.autograd.gradcheck(encode, (weights,))


def heard(rounds: int) -> list[bool]:
    """Which edges hear of another kernel on the first one."""
    encode = encoder(rounds=rounds)
    one, other = picked(*[ONE] * 6), picked(THREE, *[ONE] * 5)
    change = (encode.states(one) - encode.states(other)).abs().amax(dim=-1)
    return (change > 1e-9).tolist()


def test_word_travels_an_edge_a_round() -> None:
    # edges by target, source: 0->1, 0->2, 1->2, 0->3, 1->3, 2->3
    assert heard(0) == [True, False, False, False, False, False]
    # it feeds those behind node 1, and those into the output feed it, a cell further on
    assert heard(1) == [True, False, True, True, True, True]
    assert heard(2) == [True] * 6


def test_edges_without_connection_send_no_messages() -> None:
    encode = encoder()
    # node 1 leads nowhere: what stands on the way to it is unheard
    one, other = picked(ONE, ONE, NONE, ONE, NONE, ONE), picked(THREE, ONE, NONE, ONE, NONE, ONE)
    change = (encode.states(one) - encode.states(other)).abs().amax(dim=-1)
    assert change[0] > 1e-9
    assert change[1:].max() < 1e-12


def test_known_latencies_are_seen() -> None:
    layout = DecisionTable(get_space("nasbench201"), tiny("nasbench201"))
    latency = torch.rand(6, 5, dtype=torch.float64)
    found: list[Tensor] = []
    for factor in (1.0, 2.0):
        torch.manual_seed(0)
        found.append(GraphEncoder(Encoding(layout, latency * factor), width=8)())
    torch.manual_seed(0)
    shifted = GraphEncoder(Encoding(layout, latency.flip(0)), width=8)()
    torch.testing.assert_close(found[0], found[1])  # in units of the largest
    assert not torch.allclose(found[0], shifted)
