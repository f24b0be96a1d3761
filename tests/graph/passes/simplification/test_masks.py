"""Widths: candidates that keep the first channels of one chain are one mask behind that chain."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    AvgPool,
    BatchNorm,
    Cell,
    Chain,
    Choice,
    Conv,
    Decision,
    Edge,
    Expr,
    KeepChannels,
    MaxPool,
    Network,
    Op,
    Primitive,
    ReLU,
    Step,
    chain,
    choose,
    concat,
    name_slots,
    verify,
)
from archwright.graph.expr import choices
from archwright.graph.masks import cancelled, mask_widths, masked_channels
from archwright.graph.passes.narrowing import narrow, narrow_state
from archwright.graph.passes.simplification import (
    Simplification,
    count_modules,
    simplify,
    simplify_expr,
)
from archwright.graph.passes.simplification.merging import merge_masks
from archwright.graph.passes.simplification.rule import Site
from archwright.graph.serial import network_from_text, network_to_text
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.lowering.masks import channel_mask

from ....strategies import seeded
from .edges import (
    SHAPE,
    C,
    answers_of,
    assert_one_hot,
    assert_same,
    body_of,
    edge,
    logits_of,
    network,
    noise,
    run,
    selected,
    twin,
)

W = 8
ALL = Simplification()
MERGE = Simplification(pms=False, fms=False, norm=False)
SHARE = Simplification(merge=False, norm=False)
AT = Site(SHAPE, ALL)

EXPAND = (Conv(C, W, 1), BatchNorm(W), ReLU())
DEPTHWISE = (Conv(W, W, 3, groups=W), BatchNorm(W), ReLU())
BEHIND = name_slots(chain(Conv(W, C, 1), BatchNorm(C)), "behind")
"""What mixes the channels, and a norm; outside of the choice."""


def keep(width: int, channels: int = W) -> KeepChannels:
    return KeepChannels(channels, width)


def widths(*kept: int, parts: tuple[Primitive, ...] = (*EXPAND, *DEPTHWISE)) -> Choice:
    """The first channels of one chain: the slots are the same in all options."""
    wide = name_slots(chain(*parts), "wide")
    bodies = tuple(chain(wide, keep(width)) for width in kept)
    return choose(Decision("width", tuple(map(str, kept))), bodies)


def masks(expr: Expr) -> list[Choice]:
    return [choice for choice in choices(expr) if choice.form == "mask"]


def assert_same_function(before: Network, after: Network) -> None:
    """Output and all gradients agree; a shared norm counts a batch once, and not once a width."""
    ours = seeded(before)
    theirs, logits = twin(ours, after), logits_of(ours)
    expected, found = run(ours, logits), run(theirs, logits)
    assert expected.keys() == found.keys()
    buffers = dict(ours.named_buffers())
    assert float(expected["logits"].abs().max()) > 1e-3  # the decision learns
    for name, value in expected.items():
        if name not in buffers:
            scale = max(1.0, float(value.abs().max()))
            torch.testing.assert_close(
                found[name], value, rtol=1e-10, atol=1e-10 * scale, msg=lambda m, n=name: n + m
            )


# the mask


@pytest.mark.parametrize("settings", [SHARE, ALL, Simplification(fms=False)])
@pytest.mark.parametrize("kept", [(2, 5), (1, 2, 4, 8), (8, 3), (7,)])
def test_widths_of_one_chain_compute_what_their_mixture_does(
    kept: tuple[int, ...], settings: Simplification
) -> None:
    before = chain(widths(*kept, *([8] * (len(kept) == 1))), BEHIND)
    after = simplify_expr(before, SHAPE, settings)
    assert len(masks(after)) == settings.merge
    assert count_modules(after).total == count_modules(chain(*EXPAND, *DEPTHWISE, BEHIND)).total
    assert_same_function(network(before), network(after))


def test_the_scales_are_sums_over_the_widths_that_reach() -> None:
    p = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    found = channel_mask(5, (2, 3, 5), p)
    expected = torch.tensor([1.0, 1.0, 0.5, 0.3, 0.3], dtype=torch.float64)
    torch.testing.assert_close(found, expected[:, None, None])
    one_hot = channel_mask(5, (2, 3, 5), torch.tensor([0.0, 1.0, 0.0]))
    assert one_hot.flatten().tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]


@settings(max_examples=20)
@given(data=st.data())
def test_one_width_alone(data: st.DataObject) -> None:
    """Slots may also be each candidate's own: sharing then takes the first one's."""
    kept = data.draw(st.lists(st.integers(1, W), min_size=2, max_size=4, unique=True))
    own = edge(*(chain(*EXPAND, *DEPTHWISE, keep(k), Conv(W, C, 1), BatchNorm(C)) for k in kept))
    after = simplify_expr(own, SHAPE, ALL)
    (mask,) = masks(after)
    assert mask_widths(mask) == tuple(kept)
    assert masked_channels(mask) == W
    assert str(mask).startswith("keep Σ{a: keep")
    assert_one_hot(network(own), network(after), answers_of(network(own).decisions(), data))


@settings(max_examples=20)
@given(data=st.data())
def test_the_merge_of_masks_is_exact(data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.integers(1, C), min_size=1, max_size=4))
    bodies: list[Expr] = [chain(keep(k, C)) for k in kept]
    if len(kept) < 2 or data.draw(st.booleans()):
        bodies.append(Chain())  # the identity keeps all
    before = edge(*bodies)
    after = simplify_expr(before, SHAPE, MERGE)
    assert after == replace(before, form="mask")
    assert_same(network(before), network(after))
    assert simplify_expr(after, SHAPE, MERGE) == after
    assert_same(network(before), network_from_text(network_to_text(network(after)), "here"))


def test_what_the_rule_says() -> None:
    before = edge(keep(2, C), keep(3, C), Chain())
    (line,) = merge_masks(before, AT).diagnostics
    assert (line.fired, line.text) == (True, "2, 3 and 4 of 4 channels are one mask")
    said: list[str] = []
    again = replace(before, form="mask")
    assert simplify_expr(again, SHAPE, MERGE, lambda d: said.append(d.text)) == again
    assert "the candidates are one mask already" in said


# where it must not fire


def test_no_mask_where_there_is_no_one_chain() -> None:
    one, other = (*EXPAND, *DEPTHWISE), (*EXPAND, ReLU())
    slots = edge(chain(*one, keep(4)), chain(*one, keep(8)))
    assert simplify_expr(slots, SHAPE, MERGE) == slots  # each has weights of its own
    chains = edge(chain(*one, keep(4)), chain(*other, keep(8)))
    after = simplify_expr(chains, SHAPE, ALL)
    assert not masks(after)
    (inner,) = choices(after)  # what they have in common is shared, and the masks stay apart
    assert len(inner.options) == 2
    for expr in (
        edge(keep(2, C), Conv(C, C, 1)),
        edge(Chain(), Chain()),
        edge(keep(2, C), chain(keep(3, C), ReLU())),
        edge(Conv(C, C, 3), Conv(C, C, 5)),
        choose(Decision("alone", ("a",)), (chain(keep(2, C)),)),
    ):
        assert merge_masks(expr, AT).expr is None


NORMS = [
    (BatchNorm(W),),
    (ReLU(), BatchNorm(W)),
    (Conv(W, W, 3, groups=W), BatchNorm(W)),
    (AvgPool(3), BatchNorm(W, affine=False)),
    (MaxPool(3, norm=W),),
    (AvgPool(3, norm=W),),
]


@pytest.mark.parametrize("pms", [True, False])
@pytest.mark.parametrize("norm", NORMS, ids=[str(chain(*parts)) for parts in NORMS])
def test_no_mask_before_a_norm(norm: tuple[Primitive, ...], pms: bool) -> None:
    """A norm takes the scale of a mask away, and with it the gradient of the decision."""
    bodies = [chain(*EXPAND, keep(k), *norm, ReLU(), Conv(W, C, 1)) for k in (2, 5, 8)]
    before = edge(*bodies)
    after = simplify_expr(before, SHAPE, replace(ALL, pms=pms))
    assert not masks(after)
    for choice in choices(after):
        for option in choice.options:  # each mask stands before a norm of its own candidate
            assert not cancelled([option.body], chain(*norm).items)
    assert simplify_expr(after, SHAPE, replace(ALL, pms=pms)) == after
    for answer in "abc":
        assert_one_hot(network(before), network(after), {"kind/0->1": answer})
    module = seeded(network(after))
    logits = logits_of(module)
    assert float(run(module, logits)["logits"].abs().max()) > 1e-2


def test_why_a_norm_is_not_shared() -> None:
    before = edge(chain(keep(2, C), BatchNorm(C)), chain(keep(3, C), BatchNorm(C)))
    said: list[str] = []
    assert simplify_expr(before, SHAPE, SHARE, lambda d: said.append(d.text)) == before
    assert "a batch norm behind masks is not shared: it would take their scale away" in said


def test_which_norm_cancels_which_mask() -> None:
    relu, norm, mixed = Op(ReLU()), Op(BatchNorm(C)), Op(Conv(C, C, 1))
    mask = edge(keep(2, C), keep(3, C))
    both = concat(ReLU(), chain(mask))
    assert cancelled([mixed, mask], [norm])
    assert cancelled([mask, relu], [relu, norm])
    assert cancelled([both], [concat(chain(BatchNorm(C)), ReLU())])
    assert cancelled([mask, edge(ReLU(), Conv(C, C, 1))], [edge(Chain(), BatchNorm(C))])
    assert not cancelled([mask, mixed], [norm])
    assert not cancelled([mask], [mixed, norm])
    assert not cancelled([mixed], [norm])
    assert not cancelled([mask, norm], [norm])
    assert not cancelled([mask], [])


# in networks


def wide_network() -> Network:
    """The same decision behind two writers of a node and of a later cell; and another choice."""
    decision = Decision("stream", ("2", "3", "4"))
    bodies = tuple(chain(keep(k, C)) for k in (2, 3, 4))

    def write(name: str, kernel: int) -> Expr:
        wide = name_slots(chain(Conv(C, C, kernel), BatchNorm(C)), name)
        return choose(decision, tuple(chain(wide, body) for body in bodies))

    inner = chain(widths(2, 5, 8), name_slots(chain(Conv(W, C, 1), BatchNorm(C)), "point"))
    part = choose(
        Decision("block", ("wide", "none", "narrow")), (inner, Chain(), write("third", 1))
    )
    first = Cell(
        "cell", (Chain(),), 1, (Edge(0, 1, write("first", 3)), Edge(0, 1, write("second", 1))), (1,)
    )
    second = Cell("cell", (Chain(),), 1, (Edge(0, 1, chain()), Edge(0, 1, part)), (1,))
    return Network(SHAPE, (Step("one", first, (INPUT,)), Step("two", second, ("one",))))


def test_a_decision_may_stand_at_several_places_and_inside_another() -> None:
    before = wide_network()
    verify(before)
    after = simplify(before, ALL)
    verify(after)
    assert [c.decision.name for c in after.choices() if c.form == "mask"] == [
        "stream",
        "stream",
        "width",
        "stream",
    ]
    assert simplify(after, ALL) == after
    assert network_from_text(network_to_text(after), "here") == after
    assert_same_function(before, after)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("recompute", [True, False])
def test_both_lowerings_run_masks(recompute: bool, training: bool) -> None:
    after = simplify(wide_network(), ALL)
    naive = seeded(after).train(training)
    fused = FusedNetwork(after, recompute=recompute).double().train(training)
    fused.load_state_dict(naive.state_dict())
    x, leaf = noise(3, *SHAPE), logits_of(naive).requires_grad_()
    presence = torch.tensor([0.5, 2.0, 1.5], dtype=torch.float64)
    for mixture in (Mixture.from_logits(leaf), Mixture.from_logits(leaf).times(presence)):
        made: list[list[torch.Tensor]] = []
        for module in (naive, fused):
            out = module(x, mixture)[0]
            grads = torch.autograd.grad(
                out.pow(3).sum(), [leaf, *module.parameters()], retain_graph=True
            )
            made.append([out, *grads])
        for theirs, ours in zip(*made, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_sampled_width_alone_is_run() -> None:
    after = simplify(wide_network(), ALL)
    module = seeded(after)
    answers = {"stream": "3", "block": "wide", "width": "5"}
    x, like = noise(3, *SHAPE), torch.zeros(1).double()
    sampled = Mixture.one_hot(module.decisions, answers, like=like, only_sample=True)
    weighed = Mixture.one_hot(module.decisions, answers, like=like)
    torch.testing.assert_close(module(x, sampled)[0], module(x, weighed)[0])


def test_a_mask_is_of_the_type_of_the_features() -> None:
    after = network(simplify_expr(edge(keep(2, C), keep(3, C)), SHAPE, MERGE))
    x = torch.ones(1, *SHAPE, dtype=torch.bfloat16)
    for module in (GraphModule(after), FusedNetwork(after)):
        made, _ = module(x, Mixture.from_logits(torch.zeros(1, 2)))
        assert made.dtype == torch.bfloat16
        assert made[0, :, 0, 0].tolist() == [1.0, 1.0, 0.5, 0.0]


def test_a_mask_of_something_else_is_refused() -> None:
    broken = replace(edge(keep(2, C), ReLU()), form="mask")
    message = "^kind/0->1: an option of a mask does not keep channels$"
    with pytest.raises(GraphError, match=message):
        verify(network(broken))
    text = network_to_text(network(broken))
    with pytest.raises(GraphError, match="here: kind/0->1: an option of a mask does not keep"):
        network_from_text(text, "here")


def test_a_decided_width_is_narrow_and_inherits() -> None:
    """The supernet at a width, its restriction and the narrow network compute the same."""
    net = network(simplify_expr(chain(widths(2, 5, 8), BEHIND), SHAPE, ALL))
    whole, x = seeded(net), noise(3, *SHAPE)
    for width in ("2", "5", "8"):
        alone = network(selected(body_of(net), {"width": width}))
        heir = GraphModule(alone).double()
        heir.inherit(whole)
        found = narrow(alone)
        slim = GraphModule(found.network).double()
        slim.load_state_dict(narrow_state(found.cuts, heir.state_dict()))
        assert len(slim.state_dict()["slots.wide/0.weight"]) == int(width)
        mixture = Mixture.one_hot(net.decisions(), {"width": width}, like=x)
        for training in (True, False):
            ours, theirs = slim.train(training)(x)[0], whole.train(training)(x, mixture)[0]
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        whole = seeded(net)
