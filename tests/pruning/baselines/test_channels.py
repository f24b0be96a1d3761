"""Channel pruning: cells that join, reduce and separate; and its widths written into the graph."""

import pytest
import torch
from torch import nn

from archwright.backends import LogitsModule, Session, max_error, to_onnx
from archwright.cost import graph_cost
from archwright.errors import ConfigError, GraphError
from archwright.graph import (
    INPUT,
    Chain,
    Conv,
    GlobalAvgPool,
    Linear,
    Network,
    Op,
    Shape,
    Step,
    verify_discrete,
)
from archwright.graph.ops import Scale
from archwright.graph.passes.edge_removal import EdgeRemoval
from archwright.graph.passes.resizing import Resizing
from archwright.lowering import GraphModule
from archwright.pruning.baselines.channels import Ranking, prune_channels, rebuilt
from archwright.pruning.baselines.widths import multiple_of, rounded
from archwright.spaces import Size, get_space, reference_architecture

from .nets import DARTS, NB201, graph, images, network, spec


@pytest.mark.parametrize(
    ("text", "ranking", "share"),
    [(DARTS, "network", 0.727), (DARTS, "layer", 0.6), (NB201, "network", 0.6)],
)
def test_pruned_networks_are_networks_like_others(text: str, ranking, share: float) -> None:
    whole = network(text)
    before = graph_cost(whole.network, live=True).macs
    pruned, asked = prune_channels(whole, share * before, ranking=ranking)
    verify_discrete(pruned.network)
    cost = graph_cost(pruned.network)
    assert cost.macs <= share * before
    assert cost.macs > 0.5 * share * before
    assert 0 < asked < 1
    assert cost.params == sum(p.numel() for p in pruned.parameters())
    assert pruned.network.output == whole.network.output
    logits, _ = pruned(images())
    assert logits.shape == (2, 10)
    logits.sum().backward()  # it can be trained on
    assert max_error(LogitsModule(pruned), Session(to_onnx(pruned)), pruned.network.image) < 1e-5


def test_channels_of_all_layers_compete_or_not() -> None:
    whole = network(channels=8)
    macs = 0.8 * graph_cost(whole.network).macs

    def kept(ranking) -> set[float]:
        pruned, _ = prune_channels(whole, macs, ranking=ranking, round_to=1)
        pairs = zip(whole.network.modules(), pruned.network.modules(), strict=True)
        return {
            after.primitive.c_out / before.primitive.c_out
            for before, after in pairs
            if isinstance(before.primitive, Conv) and isinstance(after.primitive, Conv)
        }

    assert len(kept("layer")) <= 2  # two depths of rounding
    assert len(kept("network")) > 3


@pytest.mark.parametrize("ranking", ["network", "layer"])
@pytest.mark.parametrize("round_to", [None, 1])
def test_widths_are_multiples_that_run_fast(ranking: Ranking, round_to: int | None) -> None:
    whole = network(channels=16)
    macs = 0.6 * graph_cost(whole.network).macs
    pruned, _ = prune_channels(whole, macs, ranking=ranking, round_to=round_to)
    assert graph_cost(pruned.network, live=True).macs <= macs
    odd = set[int]()
    for before, after in zip(whole.network.modules(), pruned.network.modules(), strict=True):
        if isinstance(before.primitive, Conv) and isinstance(after.primitive, Conv):
            width, left = before.primitive.c_out, after.primitive.c_out
            assert left == width or left % multiple_of(width, round_to) == 0
            odd |= {left} if left % 4 else set()
    assert bool(odd) == (round_to == 1)


def test_no_layer_goes_as_a_whole_and_none_is_passed_over() -> None:
    """A layer whose channels are all the weakest keeps as many as it may, not all of them."""
    whole = network(NB201, channels=8)
    weak = whole.slots["cell0/0->1/nor_conv_3x3/1"]
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            parameter.mul_(1e-6) if name.startswith("slots.cell0/0->1/") else None
    assert isinstance(weak, nn.Conv2d)
    macs = 0.6 * graph_cost(whole.network, live=True).macs
    for round_to, least in ((1, 1), (4, 4)):
        pruned, _ = prune_channels(whole, macs, ranking="network", round_to=round_to)
        widths = {
            module.slot: module.primitive.c_out
            for module in pruned.network.modules()
            if isinstance(module.primitive, Conv)
        }
        assert min(widths.values()) >= least
        assert widths["cell0/0->1/nor_conv_3x3/1"] < 8


@pytest.mark.parametrize(
    ("channels", "width", "round_to", "expected"),
    [
        *((15, 16, None, 16), (13, 16, None, 12), (1, 16, None, 4), (0, 16, 1, 1)),
        *((35, 36, None, 36), (29, 36, None, 28), (5, 6, None, 5), (9, 10, None, 8)),
        *((3, 4, 8, 4), (7, 16, 5, 5)),
    ],
)
def test_a_width_is_rounded_to_the_nearest_multiple(
    channels: int, width: int, round_to: int | None, expected: int
) -> None:
    assert rounded(channels, width, round_to) == expected


def test_the_weakest_channels_go() -> None:
    whole = network(NB201, channels=8)
    conv = whole.slots["cell0/0->1/nor_conv_3x3/1"]
    assert isinstance(conv, nn.Conv2d)
    stem = whole.slots["stem/0"]
    assert isinstance(stem, nn.Conv2d)
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            parameter.fill_(1.0) if "stem" not in name else None
        stem.weight.fill_(1.0)
        stem.weight[3] = 1e-4
        whole.get_parameter("slots.stem/1.weight").fill_(1.0)[3] = 1e-4
    macs = 0.9 * graph_cost(whole.network, live=True).macs
    pruned, _ = prune_channels(whole, macs, round_to=1)
    left = pruned.get_parameter("slots.stem/0.weight")
    assert len(left) < 8
    assert float(left.detach().min()) > 1e-3


def test_the_whole_network_is_left_as_it_was() -> None:
    whole = network()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    prune_channels(whole, 0.6 * graph_cost(whole.network).macs)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_target_that_cannot_be_reached_is_named_with_the_least_that_can() -> None:
    with pytest.raises(
        ConfigError,
        match=r"channel pruning cannot come down to 10 MACs: [\d,]+ of [\d,]+ are left when every "
        r"layer is as narrow as it may be; ask for no less",
    ):
        prune_channels(network(), 10)


def test_what_cannot_be_followed_is_named() -> None:
    space = get_space("spos")
    size = Size(channels=16, cells=8, classes=10, image_size=32, image_channels=1)
    shuffled = GraphModule(space.discrete(reference_architecture(space, size), size))
    with pytest.raises(
        ConfigError,
        match="channel pruning cannot follow shuffle8: leave --methods channels out",
    ):
        prune_channels(shuffled, 1e9)


def test_groups_of_channels_are_not_followed() -> None:
    steps = (
        Step("a", Chain((Op(Conv(1, 8, 3), "a"), Op(Conv(8, 8, 3, groups=2), "b"))), (INPUT,)),
        Step("head", Chain((Op(GlobalAvgPool()), Op(Linear(8, 2), "head"))), ("a",)),
    )
    grouped = GraphModule(Network(Shape(1, 4, 4), steps))
    with pytest.raises(ConfigError, match=r"channel pruning cannot follow .* \(b\): leave"):
        prune_channels(grouped, 1e9)


def test_a_node_that_nothing_leads_into_is_named() -> None:
    none = "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    with pytest.raises(
        ConfigError,
        match="channel pruning: edge removal requires features in every node: nothing leads into "
        "node 1 of cell0: its width is open; leave --methods channels out",
    ):
        prune_channels(network(none), 1e9)


def test_without_torch_pruning_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch_pruning", None)
    with pytest.raises(
        ConfigError, match="torch_pruning is not installed: pip install torch-pruning"
    ):
        prune_channels(network(), 1e9)


def test_edges_that_add_nothing_are_left_out() -> None:
    whole = graph(NB201)
    lean = EdgeRemoval()(whole).network
    assert graph_cost(lean) == graph_cost(whole)
    given, made = network(NB201), GraphModule(lean).eval()
    made.load_state_dict(given.state_dict())
    assert torch.equal(made(images())[0], given(images())[0])


def test_modules_as_they_were_change_nothing() -> None:
    whole = network()
    result = Resizing(dict(whole.slots.items()))(whole.network)
    assert (result.network, result.changed) == (whole.network, False)
    again = rebuilt(whole).eval()
    assert torch.equal(again(images())[0], whole(images())[0])


def test_a_pool_with_its_norm_is_resized() -> None:
    supernet = spec().space.supernet(spec().size)
    (pool, *_) = (m.primitive for m in supernet.modules() if m.primitive.label() == "maxpool3_bn")
    norm = nn.Sequential(nn.MaxPool2d(3), nn.BatchNorm2d(3, affine=False))
    assert pool.resized(norm.state_dict()).out_shape(Shape(3, 8, 8)).channels == 3


def test_what_has_no_other_width_is_named() -> None:
    step = Step("a", Chain((Op(Scale(4), "scale"), Op(Linear(4, 2), "head"))), (INPUT,))
    modules = {"scale": nn.Identity(), "head": nn.Linear(4, 2)}
    with pytest.raises(GraphError, match="scale cannot be made narrower: prune nodes or operat"):
        Resizing(modules)(Network(Shape(4, 1, 1), (step,)))
