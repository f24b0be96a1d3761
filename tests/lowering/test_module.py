"""The naive lowering computes what the graph says."""

import copy
import gc
import re
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    AvgPool,
    BatchNorm,
    Cell,
    Chain,
    Choice,
    Concat,
    Conv,
    Decision,
    Edge,
    Expr,
    Network,
    Op,
    Option,
    ReLU,
    Shape,
    Step,
    chain,
    choose,
    concat,
    name_slots,
    walk_network,
)
from archwright.lowering import GraphModule, Mixture
from archwright.spaces import get_space, read_architecture
from archwright.spaces.discretise import random_architecture

from ..strategies import ALL_SPACES, any_space, images, mixture_of, networks, seeded, tiny
from . import oracles


@pytest.mark.parametrize("name", ["nasbench201", "darts"])
def test_a_supernet_agrees_with_one_written_by_hand(name: str) -> None:
    oracle: Callable[..., Tensor] = getattr(oracles, name)
    supernet = get_space(name).supernet(tiny(name))
    module = seeded(supernet)
    x = images(supernet, batch=4)
    drawn = mixture_of(module)
    assert drawn is not None
    alpha = drawn.log_weights.clone().requires_grad_()
    parameters = dict(module.named_parameters())
    over = [alpha, *parameters.values()]
    found, auxiliary = module(x, Mixture.from_logits(alpha))
    rows = zip(module.decisions, alpha.softmax(dim=1), strict=True)
    expected = oracle(parameters, {decision.name: row for decision, row in rows}, x)
    assert auxiliary is None
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    direction = torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad((found * direction).sum(), over),
        torch.autograd.grad((expected * direction).sum(), over),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def by_hand(expr: Expr, module: GraphModule, mixture: Mixture, x: Tensor) -> Tensor:
    """An expression evaluated from its definition, in probabilities."""
    match expr:
        case Op(primitive, slot):
            if slot:
                return module.slots[slot](x)
            return primitive.build()(x)
        case Choice(decision, options, given):
            row = [d.name for d in module.decisions].index(decision.name)
            p = mixture.log_weights[row].softmax(dim=0)
            given_mass = sum(p[i] for i in given)
            return torch.stack(
                [
                    sum(p[i] for i in option.members)
                    / given_mass
                    * by_hand(option.body, module, mixture, x)
                    for option in options
                ]
            ).sum(0)
        case Chain(items):
            for item in items:
                x = by_hand(item, module, mixture, x)
            return x
        case Concat(branches):
            return torch.cat([by_hand(branch, module, mixture, x) for branch in branches], 1)


@settings(max_examples=40)
@given(networks())
def test_random_networks_agree_with_their_definition(network: Network) -> None:
    module = seeded(network).eval()
    mixture = mixture_of(module) or Mixture(torch.ones(1, 1), torch.zeros(1, 1))
    x = images(network)
    made = {INPUT: x}
    for step in network.steps:
        given = [made[name] for name in step.inputs]
        if isinstance(step.body, Cell):
            nodes = [
                by_hand(e, module, mixture, g) for e, g in zip(step.body.inputs, given, strict=True)
            ]
            for node in step.body.inner():
                edges = (e for e in step.body.edges if e.target == node)
                nodes.append(
                    torch.stack(
                        [by_hand(e.body, module, mixture, nodes[e.source]) for e in edges]
                    ).sum(0)
                )
            made[step.name] = torch.cat([nodes[node] for node in step.body.output], 1)
        else:
            made[step.name] = by_hand(step.body, module, mixture, given[0])
    found, _ = module(x, mixture)
    torch.testing.assert_close(found, made[network.output], rtol=1e-10, atol=1e-10)
    shapes = walk_network(network)
    assert found.shape == (3, shapes[network.output].channels)


IMAGE = Shape(2, 4, 4)


def line(*bodies: Expr | Cell, auxiliary: str = "") -> Network:
    """A network of steps in series."""
    steps: list[Step] = []
    for position, body in enumerate(bodies):
        steps.append(Step(f"s{position}", body, (steps[-1].name if steps else INPUT,)))
    return Network(IMAGE, tuple(steps), auxiliary)


def cell(*edges: tuple[int, int, Expr]) -> Cell:
    body = tuple(Edge(*edge) for edge in edges)
    nodes = max(edge.target for edge in body)
    return Cell("hand", (chain(),), nodes, body, (nodes,))


def test_equal_slots_share_their_weights() -> None:
    shared = Op(Conv(2, 2, 1), "one")
    module = GraphModule(line(chain(shared, shared), chain(shared))).double()
    assert list(module.state_dict()) == ["slots.one.weight"]
    x = images(module.network)
    weight = module.slots["one"].get_parameter("weight")[:, :, 0, 0]
    expected = torch.einsum("oc,bchw->bohw", weight @ weight @ weight, x)
    torch.testing.assert_close(module(x)[0], expected)


def test_the_state_is_keyed_by_slot() -> None:
    space = get_space("nasbench201")
    module = GraphModule(space.supernet(tiny("nasbench201")))
    keys = set(module.state_dict())
    assert "slots.cell0/0->1/nor_conv_3x3/1.weight" in keys
    assert "slots.down1/shortcut/1.weight" in keys
    slots = {m.slot for m in module.network.modules() if m.primitive.stateful}
    assert {key.removeprefix("slots.").rpartition(".")[0] for key in keys} == slots


def test_an_open_decision_needs_a_mixture() -> None:
    module = GraphModule(get_space("nasbench201").supernet(tiny("nasbench201")))
    with pytest.raises(GraphError, match=r"^this network has open decisions: give a mixture"):
        module(torch.zeros(1, 3, 8, 8))


def test_grouped_options_weigh_conditionally() -> None:
    decision = Decision("d", ("a", "b", "c", "e"))

    def option(*members: int) -> Option:
        return Option(frozenset(members), chain(Op(Conv(2, 2, 1), "".join(map(str, members)))))

    inner = Choice(decision, (option(0), option(1, 2)), frozenset({0, 1, 2}))
    outer = Choice(
        decision,
        (Option(frozenset({0, 1, 2}), inner), option(3)),
        frozenset(range(4)),
    )
    module = GraphModule(line(outer)).double()
    x = images(module.network)
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.5]], dtype=torch.float64)
    p = logits.softmax(1)[0]
    ends = {name: conv(x) for name, conv in module.slots.items()}
    expected = p[0] * ends["0"] + (p[1] + p[2]) * ends["12"] + p[3] * ends["3"]
    torch.testing.assert_close(module(x, Mixture.from_logits(logits))[0], expected)


def test_a_group_without_mass_is_finite() -> None:
    decision = Decision("d", ("a", "b", "c"))
    options = tuple(Option(frozenset({i}), chain()) for i in (1, 2))
    module = GraphModule(line(Choice(decision, options, frozenset({1, 2}))))
    mixture = Mixture.one_hot((decision,), {"d": "a"}, like=torch.zeros(()))
    x = images(module.network).float()
    torch.testing.assert_close(module(x, mixture)[0], x)


def test_auxiliary_logits_are_for_training_only() -> None:
    space, size = get_space("darts"), replace(tiny("darts"), image_size=16)
    network = space.discrete(read_architecture("darts-v2"), size, auxiliary=True)
    module = seeded(network)
    x = images(network)
    logits, auxiliary = module(x)
    assert auxiliary is not None
    assert auxiliary.shape == logits.shape
    plain = GraphModule(space.discrete(read_architecture("darts-v2"), size)).double()
    plain.inherit(module)
    module.eval()
    plain.eval()
    assert module(x)[1] is None
    assert torch.equal(module(x)[0], plain(x)[0])


def late_reader() -> Network:
    """Steps that read far back, the same step twice, and the images again."""
    pair = Cell("pair", (chain(), chain()), 1, (Edge(0, 2, chain()), Edge(1, 2, chain())), (2,))
    conv = {name: name_slots(chain(Conv(2, 2, 3)), name) for name in ("a", "b", "aux")}
    steps = (
        Step("a", conv["a"], (INPUT,)),
        Step("b", conv["b"], ("a",)),
        Step("c", pair, ("b", "b")),
        Step("aux", conv["aux"], ("a",)),
        Step("d", pair, ("a", "c")),
        Step("e", pair, ("d", INPUT)),
    )
    return Network(IMAGE, steps, "aux")


@pytest.mark.parametrize("training", [True, False])
def test_what_is_read_later_is_kept(training: bool) -> None:
    module = seeded(late_reader()).train(training)
    x = images(module.network)
    a = module.slots["a/0"](x)
    b = module.slots["b/0"](a)
    found, auxiliary = module(x)
    torch.testing.assert_close(found, a + 2 * b + x)
    if training:
        torch.testing.assert_close(auxiliary, module.slots["aux/0"](a))


@pytest.mark.parametrize("training", [True, False])
def test_what_is_not_read_again_is_freed(training: bool) -> None:
    body = [name_slots(chain(Conv(2, 2, 1)), f"c{i}") for i in range(3)]
    module = GraphModule(line(*body)).train(training)
    kept: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def watch(part: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        alive.append(sum(ref() is not None for ref in kept))
        kept.append(weakref.ref(out))

    for part in module.slots.values():
        part.register_forward_hook(watch)
    gc.disable()
    try:
        with torch.no_grad():
            module(torch.zeros(1, *IMAGE))
    finally:
        gc.enable()
    assert alive == [0, 1, 1]


def identity_and(body: Expr) -> GraphModule:
    module = GraphModule(line(cell((0, 1, chain()), (0, 1, body)))).double()
    for part in module.slots.values():
        for parameter in part.parameters():
            nn.init.dirac_(parameter)  # the identity
    return module


def test_drop_path_drops_an_edge_an_image_each_and_keeps_its_mean() -> None:
    torch.manual_seed(0)
    module = identity_and(name_slots(chain(Conv(2, 2, 1)), "w"))
    x = torch.ones(4000, *IMAGE, dtype=torch.float64)
    module.drop_path = 0.25
    made, _ = module(x)
    # the identity gives 1 always, the conv 0 or 1 / 0.75, alike over one image
    assert torch.equal(made, made[:, :1, :1, :1].expand_as(made))
    values = made[:, 0, 0, 0] - 1
    assert values.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert values.mean().item() == pytest.approx(1, abs=0.05)
    assert (values == 0).double().mean().item() == pytest.approx(0.25, abs=0.03)
    module.eval()
    assert torch.equal(module(x)[0], 2 * x)
    module.train().drop_path = 0.0
    assert torch.equal(module(x)[0], 2 * x)


def test_drop_path_leaves_a_node_its_only_edge() -> None:
    body = name_slots(chain(Conv(2, 2, 1)), "w")
    module = GraphModule(line(cell((0, 1, body)))).double()
    module.drop_path = 0.999
    x = images(module.network)
    assert torch.equal(module(x)[0], module.slots["w/0"](x))


@pytest.mark.parametrize("name", ALL_SPACES)
def test_networks_can_be_copied(name: str) -> None:
    space, size = any_space(name), tiny(name)
    module = seeded(space.supernet(size))
    twin = copy.deepcopy(module)
    x, mixture = images(module.network), mixture_of(module)
    assert torch.equal(module(x, mixture)[0], twin(x, mixture)[0])
    assert not {id(p) for p in module.parameters()} & {id(p) for p in twin.parameters()}


@pytest.mark.parametrize(("name", "searched"), [("nasbench201", True), ("darts", False)])
def test_networks_can_be_compiled(name: str, searched: bool) -> None:
    space, size = get_space(name), tiny(name)
    architecture = random_architecture(space, size, np.random.default_rng(0))
    network = _small(space.supernet(size) if searched else space.discrete(architecture, size))
    torch.compiler.reset()
    module = seeded(network).eval()
    x, mixture = images(network), mixture_of(module)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, mixture)[0], module(x, mixture)[0])


def _small(network: Network) -> Network:
    """The first cell and what stands before it: tracing takes time."""
    until = next(i for i, step in enumerate(network.steps) if isinstance(step.body, Cell))
    return replace(network, steps=network.steps[: until + 1])


def test_inheriting_says_what_is_missing() -> None:
    conv, norm = Op(Conv(2, 2, 1), "weights"), Op(BatchNorm(2), "norm")
    donor = GraphModule(line(chain(conv, norm)))
    taker = GraphModule(line(chain(norm, ReLU(), AvgPool(3), conv)))
    taker.inherit(donor)  # what has no weights need not be there
    assert torch.equal(
        donor.state_dict()["slots.weights.weight"], taker.state_dict()["slots.weights.weight"]
    )
    message = "weights cannot be inherited: the other network has no other; depth, width and space"
    with pytest.raises(GraphError, match=f"^{re.escape(message)}"):
        GraphModule(line(chain(Op(Conv(2, 2, 1), "other")))).inherit(donor)
    message = "weights cannot be inherited: weights is another module in the other network; depth"
    for primitive in (Conv(2, 3, 1), BatchNorm(2)):
        with pytest.raises(GraphError, match=f"^{re.escape(message)}"):
            GraphModule(line(chain(Op(primitive, "weights")))).inherit(donor)


def test_inherited_weights_are_copies() -> None:
    body = chain(Op(Conv(2, 2, 1), "w"))
    donor, taker = GraphModule(line(body)), GraphModule(line(body))
    taker.inherit(donor)
    with torch.no_grad():
        donor.slots["w"].get_parameter("weight").zero_()
    assert taker.slots["w"].get_parameter("weight").abs().min() > 0


def test_branches_are_joined_in_order() -> None:
    first, second = Op(Conv(2, 1, 1), "x"), Op(Conv(2, 3, 1), "y")
    module = GraphModule(line(chain(concat(first, second)))).double()
    x = images(module.network)
    expected = torch.cat([module.slots["x"](x), module.slots["y"](x)], 1)
    assert torch.equal(module(x)[0], expected)
    assert choose(Decision("d", ("a",)), (chain(),)).given == {0}


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_features_keep_their_layout(space: str, layout: torch.memory_format) -> None:
    """Else a network that is laid out channels-last converts features back and forth."""
    network = seeded(get_space(space).supernet(replace(tiny(space), image_size=16)))
    network.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    kept: list[bool] = []
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.register_forward_hook(
                lambda _, given, __: kept.append(given[0].is_contiguous(memory_format=layout))
            )
    network(images(network.network, batch=4).contiguous(memory_format=layout), mixture_of(network))
    assert len(kept) > 20
    assert all(kept)
