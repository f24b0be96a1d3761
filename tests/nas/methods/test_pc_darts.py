"""Channel sampling as a transformation of the graph, and PC-DARTS as far as it is DARTS."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from archwright.errors import ConfigError
from archwright.graph import Cell, Choice
from archwright.graph.expr import choices
from archwright.graph.passes.partial_channels import ChannelSampling
from archwright.lowering import GraphModule
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.method import Method, Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.methods.pc_darts import PcDarts
from archwright.tasks import CLASSIFICATION

from ...strategies import any_space, images, mixture_of, seeded, tiny

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def supernet(space: str, channels: int = 4):
    return any_space(space).supernet(replace(tiny(space), channels=channels))


def test_one_part_is_the_network_itself() -> None:
    network = supernet("nasbench201")
    assert ChannelSampling(1)(network).network is network


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
@pytest.mark.parametrize("parts", [2, 4])
def test_every_searched_edge_keeps_its_shape_and_decision(space: str, parts: int) -> None:
    before = supernet(space, channels=8)
    after = ChannelSampling(parts)(before).network
    assert after.decisions() == before.decisions()
    module = seeded(after)
    scores, _ = module(images(after, batch=2), mixture_of(module))
    assert scores.shape == (2, 10)
    for one, other in zip(before.steps, after.steps, strict=True):
        if isinstance(one.body, Cell) and isinstance(other.body, Cell):
            for edge, sampled in zip(one.body.edges, other.body.edges, strict=True):
                if next(choices(edge.body), None) is None:
                    assert sampled == edge
                    continue
                assert not isinstance(sampled.body, Choice)
                (choice,) = choices(sampled.body)
                assert len(choice.options) == len(next(choices(edge.body)).options)


def test_a_whole_edge_written_out() -> None:
    """Stride 1 passes the rest on, stride 2 pools it; then channels are shuffled."""
    network = ChannelSampling(2)(supernet("darts")).network
    module = seeded(network)
    cells = [step.body for step in module._steps if isinstance(step.body, Cell)]  # pyright: ignore
    cell = next(cell for cell in cells if cell.kind == "reduce")
    edge = next(e for e in cell.edges if (e.source, e.target) == (0, 2))
    x = torch.randn(2, 8, 8, 8).double()  # the first reduction doubles the channels
    mixture = mixture_of(module)
    whole = module._edge(  # pyright: ignore
        edge.body, x, weights := weights_of(module, mixture), 0.0
    )
    (choice,) = choices(edge.body)
    searched = module._eval(choice, x[:, :4], weights)  # pyright: ignore
    passed = torch.nn.functional.max_pool2d(x[:, 4:], 2)
    expected = torch.cat([searched, passed], dim=1)[:, [0, 4, 1, 5, 2, 6, 3, 7]]
    torch.testing.assert_close(whole, expected)


def weights_of(module: GraphModule, mixture: object):
    from archwright.lowering.module import _Weights  # pyright: ignore

    return _Weights(mixture, module._rows)  # pyright: ignore


def test_channels_that_do_not_divide_are_refused() -> None:
    message = (
        "--partial 3 must divide the channels of every searched edge, and there is one of 4: "
        "choose --channels or --partial accordingly"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        ChannelSampling(3)(supernet("nasbench201"))


def steps(fabric: "Fabric", method: Method) -> tuple[dict[str, Tensor], Tensor]:
    """The state after three steps."""
    torch.manual_seed(3)
    network = GraphModule(method.supernet(supernet("nasbench201")))
    recipe = replace(Darts().recipe("nasbench201"), alpha_lr=0.1)
    run = Bilevel(fabric, CLASSIFICATION, network, method, recipe)
    for step in range(3):
        batch = torch.randn(4, *network.network.image), torch.randint(10, (4,))
        run.step(batch, batch, Progress(step, 3, step / 3))
    return run.network.state_dict(), run.alpha.candidates.detach()


def test_of_one_part_and_without_edge_normalisation_it_is_darts(fabric: "Fabric") -> None:
    state, alpha = steps(fabric, PcDarts(partial=1, edge_normalisation=False))
    expected, of_darts = steps(fabric, Darts())
    assert torch.equal(alpha, of_darts)
    assert state.keys() == expected.keys()
    for name, value in state.items():
        assert torch.equal(value, expected[name]), name
    # and either alone makes another search of it
    assert not torch.equal(steps(fabric, PcDarts(partial=1))[1], of_darts)
    assert not torch.equal(steps(fabric, PcDarts(partial=2, edge_normalisation=False))[1], of_darts)
