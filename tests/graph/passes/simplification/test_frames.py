"""Common frames of kernels, against placing every tap by hand."""

from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from archwright.errors import GraphError
from archwright.graph import Chain, Choice, Conv, chain
from archwright.graph.kernel_frame import Frame
from archwright.graph.passes.simplification.merging import merge
from archwright.graph.passes.simplification.rule import Site
from archwright.graph.passes.simplification.settings import Simplification
from archwright.lowering.kernels import Merged, Term, geometry, merged_kernels

from ....strategies import seeded
from .edges import SHAPE, C, edge, network

CONVS = st.builds(
    lambda kernel, dilation: Conv(C, C, kernel, 1, dilation, groups=C),
    st.sampled_from((1, 3, 5, 7)),
    st.integers(1, 4),
)


def taps(conv: Conv) -> list[int]:
    """Where the taps of a kernel lie along an axis, from the centre."""
    half = conv.kernel // 2
    return [conv.dilation * i for i in range(-half, half + 1)]


@settings(max_examples=100)
@given(convs=st.lists(CONVS, min_size=1, max_size=4))
def test_a_frame_is_the_smallest_lattice_that_holds_all(convs: list[Conv]) -> None:
    frame = Frame.around([chain(conv) for conv in convs])
    wanted = {tap for conv in convs for tap in taps(conv)}
    assert wanted <= set(frame.positions)
    reach = max(wanted)
    lattices = [range(-reach, reach + 1, step) for step in range(1, 2 * reach + 1)]
    holding = [len(lattice) for lattice in lattices if reach in lattice and wanted <= set(lattice)]
    assert frame.size == min(holding, default=1)
    for conv in convs:
        own = Frame.of(chain(conv))
        assert [frame.positions[i] for i in range(frame.size)[frame.place(own)]] == taps(conv)


def test_what_lies_off_the_lattice_has_no_place() -> None:
    dilated = Frame.around([chain(Conv(C, C, 5, 1, 2, C))])
    for other in (Conv(C, C, 3, 1, 1, C), Conv(C, C, 7, 1, 2, C)):
        with pytest.raises(GraphError, match="does not lie in"):
            dilated.place(Frame.of(chain(other)))


@settings(max_examples=60)
@given(convs=st.lists(CONVS, min_size=2, max_size=4), seed=st.integers(0, 9))
def test_kernels_lie_where_their_taps_are(convs: list[Conv], seed: int) -> None:
    choice = edge(*convs)
    whole = Choice(choice.decision, choice.options, choice.given, "kernel")
    module = seeded(network(choice), seed)
    kept = [module.slots[f"edge/{name}/0"] for name in "abcd"[: len(convs)]]
    weights = [conv.weight for conv in kept if isinstance(conv, nn.Conv2d)]
    frame = geometry(whole).frame
    expected = torch.zeros(C, 1, frame.size, frame.size, dtype=torch.float64)
    index = {position: i for i, position in enumerate(frame.positions)}
    for number, (conv, weight) in enumerate(zip(convs, weights, strict=True), 1):
        for (i, dy), (j, dx) in product(enumerate(taps(conv)), repeat=2):
            expected[:, :, index[dy], index[dx]] += number * weight[:, :, i, j]
    terms = tuple(Term(option.body, i) for i, option in enumerate(whole.options))
    numbers = torch.arange(1, len(convs) + 1).double()
    (kernel,) = merged_kernels(
        [Merged(geometry(whole), terms)], numbers, lambda m: module.slots[m.slot]
    )
    torch.testing.assert_close(kernel, expected, rtol=1e-14, atol=1e-14)
    x = torch.randn(2, C, 9, 8, dtype=torch.float64)
    apart = [
        number * F.conv2d(x, w, padding=conv.padding, dilation=conv.dilation, groups=C)
        for number, (conv, w) in enumerate(zip(convs, weights, strict=True), 1)
    ]
    torch.testing.assert_close(
        geometry(whole)(x, kernel), torch.stack(apart).sum(0), rtol=1e-12, atol=1e-12
    )


@settings(max_examples=100)
@given(convs=st.lists(CONVS, min_size=2, max_size=5), skip=st.booleans())
def test_merging_never_takes_more_taps(convs: list[Conv], skip: bool) -> None:
    result = merge(edge(*convs, *([Chain()] if skip else [])), Site(SHAPE, Simplification()))
    assume(result.expr is not None)
    top = result.expr
    assert isinstance(top, Choice)
    merged = [top] if top.form == "kernel" else [o.body for o in top.options]
    for group in merged:
        if isinstance(group, Choice):
            bodies = [option.body for option in group.options]
            apart = sum(Frame.around([body]).taps for body in bodies)
            assert Frame.around(bodies).taps <= apart


def test_strided_kernels_with_an_offset_share_a_frame() -> None:
    bodies = [chain(Conv(C, C, 1, 2)), chain(Conv(C, C, 1, 2, offset=1)), chain(Conv(C, C, 3, 2))]
    assert Frame.around(bodies) == Frame(3, 1, -1)
    assert Frame.around([Chain()]) == Frame(1, 1, 0)
