"""Dropping candidates and connections leaves what is computed with the others as it is."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from archwright.graph import Network, verify
from archwright.graph.expr import is_zero
from archwright.graph.passes.shrinking import Shrinking, searched_in_cells
from archwright.graph.passes.simplification import Simplification, simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.lowering import FusedNetwork, GraphModule, Mixture, logits_table
from archwright.spaces import Size, get_space

SIZES = {
    "nasbench201": Size(channels=4, cells=1, image_size=8),
    "darts": Size(channels=4, cells=3, image_size=8),
    "spos": Size(channels=8, cells=4, image_size=16),
    "toponas-4": Size(channels=4, cells=3, image_size=8),
}
SETTINGS = {"none": simplification("none"), "all": Simplification()}


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def supernet(space: str, settings: str) -> Network:
    return simplify(get_space(space).supernet(SIZES[space]), SETTINGS[settings])


def half(network: Network, seed: int) -> Tensor:
    """[E, O]: about half of the candidates of each decision, at least one."""
    generator = torch.Generator().manual_seed(seed)
    present = ~logits_table(network.decisions()).isinf()
    drawn = torch.rand(present.shape, generator=generator).masked_fill(~present, -1.0)
    return (drawn > 0.5) | (drawn == drawn.max(dim=1, keepdim=True).values)


def numbers(network: Network, left: Tensor) -> dict[str, tuple[int, ...]]:
    return {
        decision.name: tuple(row.nonzero().flatten().tolist())
        for decision, row in zip(network.decisions(), left, strict=True)
    }


def inherited(network: GraphModule, other: GraphModule) -> None:
    state = other.state_dict()
    network.load_state_dict({name: state[name] for name in network.state_dict()})


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("lowering", [GraphModule, FusedNetwork])
def test_what_is_left_is_computed_as_before(
    space: str, settings: str, lowering: type[GraphModule]
) -> None:
    network = supernet(space, settings)
    left = half(network, seed=1)
    small = Shrinking(numbers(network, left))(network).network
    verify(small)
    assert small.decisions() == network.decisions()
    assert len(list(small.modules())) < len(list(network.modules()))
    torch.manual_seed(0)
    before, after = lowering(network), lowering(small)
    inherited(after, before)
    images = torch.randn(4, *network.image)
    for logits in (torch.randn(left.shape), 30.0 * torch.randn(left.shape)):  # mixed, and one-hot
        mixture = Mixture.from_logits(logits.masked_fill(~left, -torch.inf))
        assert torch.allclose(before(images, mixture)[0], after(images, mixture)[0], atol=1e-9)


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_shrinking_twice_changes_nothing(space: str, settings: str) -> None:
    network = supernet(space, settings)
    left = numbers(network, half(network, seed=2))
    small = Shrinking(left)(network).network
    assert Shrinking(left)(small).network == small
    assert {m.slot for m in simplify(small, SETTINGS[settings]).modules()} <= {
        m.slot for m in network.modules()
    }


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_connection_that_is_gone_gives_zeros_and_keeps_its_decision(settings: str) -> None:
    network = supernet("toponas-4", settings)
    gone = network.decisions()[3].name
    left = {d.name: range(len(d.candidates)) for d in network.decisions()}
    small = Shrinking({**left, gone: ()})(network).network
    assert small.decisions() == network.decisions()
    bodies = [choice for choice in small.choices() if choice.decision.name == gone]
    assert bodies
    assert all(is_zero(choice) for choice in bodies)


def test_nothing_dropped_is_nothing_changed() -> None:
    network = supernet("darts", "all")
    left = {d.name: range(len(d.candidates)) for d in network.decisions()}
    assert Shrinking(left)(network).network == network
    assert searched_in_cells(network) == set(left)
