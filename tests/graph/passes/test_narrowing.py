"""Narrowing: the network without what its masks drop computes the same, and costs what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    AvgPool,
    BatchNorm,
    Cell,
    Chain,
    Conv,
    Decision,
    Edge,
    Expr,
    GlobalAvgPool,
    KeepChannels,
    Linear,
    MaxPool,
    Network,
    Op,
    Primitive,
    ReLU,
    Scale,
    Shape,
    Shuffle,
    Slice,
    SqueezeExcite,
    Step,
    Subsample,
    Zero,
    chain,
    choose,
    concat,
    expression_step,
    name_slots,
    verify,
    walk_network,
)
from archwright.graph.ops import KernelNorm
from archwright.graph.passes.narrowing import Narrowing, narrow
from archwright.lowering import FusedNetwork

from ...strategies import images, seeded
from .narrowed import IMAGE, WIDE, C, assert_narrow

HEAD = (GlobalAvgPool(), Linear(C, 4))


def expanded(width: int, hidden: int, stride: int = 1, *, keep: tuple[int, int]) -> Expr:
    """An inverted residual of `width` and `hidden` channels, of which the first are kept."""
    own, inner = keep
    return chain(
        *(Conv(width, hidden, 1), BatchNorm(hidden), ReLU()),
        *(Conv(hidden, hidden, 3, stride, groups=hidden), BatchNorm(hidden), ReLU()),
        *([KeepChannels(hidden, inner)] if inner < hidden else []),
        *(Conv(hidden, width, 1), BatchNorm(width)),
        *([KeepChannels(width, own)] if own < width else []),
    )


def residual_network(
    width: int, hidden: Sequence[int], *, own: int, kept: Sequence[int]
) -> Network:
    """A stem, blocks with an identity beside them, and a head; `own` and `kept` of the channels."""
    mask = [KeepChannels(width, own)] if own < width else []
    stem = expression_step("stem", INPUT, Conv(3, width, 3), BatchNorm(width), ReLU(), *mask)
    steps, name = [stem], "stem"
    for number, (wide, keep) in enumerate(zip(hidden, kept, strict=True)):
        body = name_slots(expanded(width, wide, keep=(own, keep)), f"block{number}")
        cell = Cell("block", (Chain(),), 1, (Edge(0, 1, body), Edge(0, 1, Chain())), (1,))
        steps.append(Step(f"block{number}", cell, (name,)))
        name = f"block{number}"
    head = expression_step("head", name, GlobalAvgPool(), Linear(width, 4))
    return Network(IMAGE, (*steps, head))


def cost(network: Network) -> tuple[int, int]:
    """Parameters and MACs."""
    found = [0, 0]

    def add(module: Op, shape: Shape) -> None:
        found[0] += module.primitive.params
        found[1] += module.primitive.macs(shape)

    walk_network(network, add)
    return found[0], found[1]


@pytest.mark.parametrize(("own", "kept"), [(5, (3, 16)), (8, (1, 7)), (1, (1, 1)), (8, (12, 16))])
def test_a_narrow_network_is_the_one_built_narrow(own: int, kept: tuple[int, int]) -> None:
    before = residual_network(8, (12, 16), own=own, kept=kept)
    after = assert_narrow(before)
    built = residual_network(own, kept, own=own, kept=kept)
    assert [m.primitive for m in after.modules()] == [m.primitive for m in built.modules()]
    assert cost(after) == cost(built)
    fused = FusedNetwork(after).double()
    fused.load_state_dict(seeded(after).state_dict())
    x = images(after)
    torch.testing.assert_close(fused(x)[0], seeded(after)(x)[0], rtol=1e-10, atol=1e-10)


def test_nothing_to_narrow_changes_nothing() -> None:
    before = residual_network(8, (12, 16), own=8, kept=(12, 16))
    result = Narrowing()(before)
    assert not result.changed
    assert result.network is before
    assert not result.diagnostics
    said = Narrowing()(residual_network(4, (6,), own=4, kept=(3,))).diagnostics
    assert [d.place for d in said] == [f"block0/{n}" for n in (0, 1, 3, 4, 7)]


# random networks


def _channelwise(draw: DrawFn) -> list[Primitive]:
    kinds: list[list[Primitive]] = [
        [ReLU()],
        [BatchNorm(C)],
        [Conv(C, C, 3, groups=C)],
        [MaxPool(3)],
        [AvgPool(3, norm=C)],
        [Scale(C)],
        [Scale(C, shared=True)],
        [],
    ]
    return [p for part in draw(st.lists(st.sampled_from(kinds), max_size=3)) for p in part]


def _mixing(draw: DrawFn) -> list[Expr | Primitive]:
    halves = concat(Conv(C, 3, 1), chain(Conv(C, 5, 3), BatchNorm(5), KeepChannels(5, 2)))
    taken = concat(Slice(C, 0, 3), chain(Slice(C, 2, 7), ReLU()))
    kinds: list[list[Expr | Primitive]] = [
        [Conv(C, C, 1)],
        [Conv(C, C, 3), BatchNorm(C)],
        [SqueezeExcite(C, 3)],
        [SqueezeExcite(C, 3), Conv(C, C, 1)],
        [halves, Conv(C, C, 1)],
        [taken, Conv(C, C, 1)],
    ]
    return draw(st.sampled_from(kinds))


def _writer(draw: DrawFn, width: int) -> Expr:
    """A chain of masks within, behind the last channelwise operation, that ends in `width`."""
    parts: list[Expr | Primitive] = []
    for _ in range(draw(st.integers(0, 2))):
        parts += [Conv(C, C, 1), *_channelwise(draw), KeepChannels(C, draw(st.integers(1, C)))]
        parts += _mixing(draw) if draw(st.booleans()) else []
    behind = [Conv(C, C, draw(st.sampled_from((1, 3)))), *_channelwise(draw)]
    return chain(*parts, *behind, KeepChannels(C, width))


@st.composite
def masked(draw: DrawFn) -> Network:
    """Networks of cells whose nodes' writers agree on their widths, and readers that need less."""
    numbers = count()
    widths: dict[str, int] = {}
    first = draw(st.integers(1, C))
    stem = chain(Conv(3, C, 3), *_channelwise(draw), KeepChannels(C, first))
    steps = [Step("stem", name_slots(stem, "stem"), (INPUT,))]
    widths["stem"], name = first, "stem"
    for position in range(draw(st.integers(1, 2))):
        name = f"cell{position}"
        read = draw(st.sampled_from(sorted(n for n in widths if "cell" not in n)))
        own = widths[read]
        kept = [own]
        edges: list[Edge] = []
        for node in range(1, draw(st.integers(2, 4))):
            sources = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=2))
            width = draw(st.integers(1, C))
            for source in sources:
                if kept[source] == width and draw(st.booleans()):
                    body: Expr = draw(st.sampled_from([Chain(), chain(ReLU())]))
                elif kept[source] > width and draw(st.booleans()):
                    body = chain(ReLU(), KeepChannels(C, width))
                else:
                    body = _writer(draw, width)
                edges.append(Edge(source, node, name_slots(body, f"{name}/{next(numbers)}")))
            if draw(st.booleans()):
                edges.append(Edge(0, node, chain(Zero(C))))
            kept.append(width)
        output = draw(st.lists(st.integers(0, len(kept) - 1), min_size=1, max_size=2))
        cell = Cell("cell", (Chain(),), len(kept) - 1, tuple(edges), tuple(output))
        join = expression_step(f"join{position}", name, Conv(C * len(output), C, 1), BatchNorm(C))
        steps += [Step(name, cell, (read,)), join]
        widths[f"join{position}"] = C
        name = f"join{position}"
    return Network(IMAGE, (*steps, expression_step("head", name, *HEAD)))


@settings(max_examples=60, deadline=None)
@given(before=masked())
def test_a_narrow_network_computes_the_same(before: Network) -> None:
    verify(before)
    after = assert_narrow(before)
    assert all(a <= b for a, b in zip(cost(after), cost(before), strict=True))
    assert not any(isinstance(m.primitive, KeepChannels) for m in after.modules())


def one(*parts: Expr | Primitive, head: bool = True) -> Network:
    """A network of one chain from the image, and a classifier behind it."""
    body = expression_step("body", INPUT, *parts)
    return Network(IMAGE, (body, expression_step("head", "body", *HEAD)) if head else (body,))


@pytest.mark.parametrize(
    "parts",
    [
        (*WIDE, KeepChannels(C, 3)),
        (*WIDE, KeepChannels(C, 3), SqueezeExcite(C, 2), Conv(C, C, 1)),
        (*WIDE, SqueezeExcite(C, 2), KeepChannels(C, 3)),
        (*WIDE, SqueezeExcite(C, 2), Subsample(2), KeepChannels(C, 3), Conv(C, C, 1)),
        (KeepChannels(3, 2), *WIDE),
        (*WIDE, KeepChannels(C, 6), KeepChannels(C, 4), AvgPool(2, 2)),
        (*WIDE, concat(Slice(C, 4, 8), Slice(C, 0, 4)), KeepChannels(C, 5), Conv(C, C, 1)),
        (concat(chain(*WIDE), chain(Conv(3, 2, 1), KeepChannels(2, 1))), Conv(C + 2, C, 1)),
        (concat(chain(*WIDE), Conv(3, 2, 1)), KeepChannels(C + 2, C), Conv(C + 2, C, 1)),
        (*WIDE, Zero(C), KeepChannels(C, 3)),
        (*WIDE, concat(Slice(C, 0, 2), Slice(C, 5, 7)), SqueezeExcite(4, 2), Conv(4, C, 1)),
        (*WIDE, Chain((Op(ReLU()), Chain())), KeepChannels(C, 7), Shuffle(1))[:-1],
    ],
    ids=lambda parts: str(chain(*parts)),
)
def test_chains_by_hand(parts: tuple[Expr | Primitive, ...]) -> None:
    assert_narrow(one(*parts))


def readers(*edges: Edge, output: tuple[int, int]) -> Network:
    """A cell of several nodes, two of which the logits are made of."""
    named = (replace(e, body=name_slots(e.body, f"edge{n}")) for n, e in enumerate(edges))
    cell = Cell("cell", (Chain(),), max(e.target for e in edges), tuple(named), output)
    last = expression_step("last", "cell", GlobalAvgPool(), Linear(2 * C, 4))
    stem = expression_step("stem", INPUT, *WIDE)
    return Network(IMAGE, (stem, Step("cell", cell, ("stem",)), last))


def bodies(network: Network) -> list[str]:
    cell = network.steps[1].body
    assert isinstance(cell, Cell)
    return [str(edge.body) for edge in cell.edges]


def test_a_part_is_read_where_others_need_more() -> None:
    """A mask at the head of an edge becomes a slice, if others read what it drops."""
    point = chain(Conv(C, C, 1), KeepChannels(C, 3))
    first = Edge(0, 1, chain(ReLU(), KeepChannels(C, 3)))
    after = assert_narrow(readers(first, Edge(0, 1, point), Edge(0, 2, Chain()), output=(1, 2)))
    assert bodies(after) == ["slice[0:3] · relu", "pw", "id"]


def test_channels_apart_are_read_alone() -> None:
    some = chain(ReLU(), concat(Slice(C, 0, 2), Slice(C, 3, 4), Slice(C, 4, 6)), Conv(5, C, 1))
    after = assert_narrow(readers(Edge(0, 1, some), Edge(0, 2, Chain()), output=(1, 2)))
    (first, _) = bodies(after)
    assert first == "[slice[0:2] | slice[3:6]] · relu · pw"


def test_a_node_has_what_the_reader_of_most_needs() -> None:
    write, most = Edge(0, 1, chain(Conv(C, C, 3))), Edge(1, 3, chain(Conv(C, C, 1)))
    part = Edge(1, 2, chain(KeepChannels(C, 3)))
    after = assert_narrow(readers(write, part, most, output=(2, 3)))
    assert bodies(after) == ["conv3", "slice[0:3]", "pw"]
    two = Edge(1, 3, chain(KeepChannels(C, 5), Conv(C, C, 1)))
    after = assert_narrow(readers(write, part, two, output=(2, 3)))
    widths = [m.primitive.c_out for m in after.modules() if isinstance(m.primitive, Conv)]
    assert widths == [C, 5, C]


def test_a_kernel_is_written_down_as_it_convolves() -> None:
    norm = KernelNorm("filter", "norm")
    before = one(
        *(replace(Conv(3, C, 3), norm=norm), ReLU(), KeepChannels(C, 3)),
        *(replace(Conv(C, C, 3), norm=norm), Conv(C, C, 3, groups=C), KeepChannels(C, 6)),
    )
    after = assert_narrow(before, gradients=False)
    assert [m.primitive.norm for m in after.modules() if isinstance(m.primitive, Conv)] == [
        None
    ] * 3
    whole = one(replace(Conv(3, C, 3), norm=KernelNorm("kernel", "norm")), KeepChannels(C, 3))
    with pytest.raises(
        GraphError,
        match=r"^body: conv3\* cannot be made narrower: its whole kernel is normal",
    ):
        narrow(whole)
    assert not Narrowing()(one(replace(Conv(3, C, 3), norm=norm))).changed


# errors


def disagreeing(*edges: Edge) -> Network:
    cell = Cell("cell", (Chain(),), 1, edges, (1,))
    stem = expression_step("stem", INPUT, *WIDE, KeepChannels(C, 6))
    return Network(
        IMAGE, (stem, Step("cell0", cell, ("stem",)), expression_step("head", "cell0", *HEAD))
    )


def test_ends_that_disagree_are_named() -> None:
    body = name_slots(chain(Conv(C, C, 1), KeepChannels(C, 4)), "point")
    message = (
        r"^cell0: the edges into node 1 disagree: 0->1 \(id\) gives 6 channels, 0->1 "
        r"\(pw · keep4\) 4: let one decision on width stand on both$"
    )
    with pytest.raises(GraphError, match=message):
        narrow(disagreeing(Edge(0, 1, Chain()), Edge(0, 1, body)))
    zero = Edge(0, 1, chain(Zero(C)))  # takes any width
    assert_narrow(disagreeing(zero, Edge(0, 1, body)))
    assert_narrow(disagreeing(Edge(0, 1, Chain()), zero))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (*WIDE, KeepChannels(C, 3), BatchNorm(C)),
            "body: bn makes 8 channels, and a mask before it leaves it 3: put the mask behind it",
        ),
        (
            (*WIDE, KeepChannels(C, 3), MaxPool(3, norm=C)),
            "body: maxpool3_bn makes 8 channels, and a mask before it leaves it 3: put the mask",
        ),
        (
            (*WIDE, KeepChannels(C, 4), Conv(C, C, 3, groups=2)),
            "body: conv3 of 2 groups cannot be made narrower: only convolutions of one group and",
        ),
        (
            (*WIDE, KeepChannels(C, 4), Shuffle(2)),
            "body: shuffle2 cannot be made narrower, and is to read 4 channels and make 8: leave",
        ),
        (
            (*WIDE, KeepChannels(C, 4), Slice(C, 5, 8), Conv(3, C, 1)),
            "body: masks leave no channel of .*: choose wider ones",
        ),
    ],
)
def test_what_cannot_be_narrowed(parts: tuple[Expr | Primitive, ...], message: str) -> None:
    with pytest.raises(GraphError, match=f"^{message}"):
        narrow(one(*parts))
    with pytest.raises(GraphError, match=f"^{message}"):
        Narrowing()(one(*parts))


def test_a_group_convolution_that_no_mask_reaches_stays() -> None:
    assert_narrow(one(*WIDE, Conv(C, C, 3, groups=2), Conv(C, C, 1), ReLU(), KeepChannels(C, 2)))


def test_a_slot_with_two_widths() -> None:
    point = Op(Conv(C, C, 1), "mine")
    before = one(*WIDE, point, KeepChannels(C, 4), point)
    with pytest.raises(GraphError, match=r"^body: slot mine stands at two places and is to have o"):
        narrow(before)
    assert_narrow(
        one(*WIDE, KeepChannels(C, 4), point, KeepChannels(C, 4), point, KeepChannels(C, 4))
    )


def test_an_open_decision() -> None:
    width = choose(Decision("width", ("2", "4")), (chain(KeepChannels(C, 2)), chain()))
    with pytest.raises(GraphError, match=r"^width is undecided: derive the network first$"):
        narrow(one(*WIDE, width))
    with pytest.raises(GraphError, match=r"^narrowing requires a discrete network: width is undec"):
        Narrowing()(one(*WIDE, width))


def test_states_by_slot() -> None:
    found = narrow(residual_network(8, (12,), own=5, kept=(3,)))
    cuts: Mapping[str, tuple[int, int]] = {
        s: (len(c.read), len(c.made)) for s, c in found.cuts.items()
    }
    assert cuts["block0/0"] == (5, 3)
    assert cuts["block0/3"] == (3, 3)
    assert cuts["block0/7"] == (3, 5)
    assert cuts["stem/0"] == (3, 5)
