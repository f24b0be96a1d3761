"""Random architectures, expressions, cells and networks for property tests.

Legend: C channels, S stride. Expressions are drawn to order (from C channels to C' channels at
stride S), so that alternatives agree and everything that is drawn is valid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor

from archwright.graph import (
    INPUT,
    Architecture,
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
    GlobalAvgPool,
    KeepChannels,
    Linear,
    MaxPool,
    Network,
    Op,
    Option,
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
    name_slots,
)
from archwright.graph.ops import KernelNorm
from archwright.lowering import GraphModule, Mixture, logits_table
from archwright.spaces import SPACES, CellSpec, EdgeSpec, Size, Space, Staged, get_space, operations
from archwright.spaces.discretise import random_architecture

# On tensors this small a second thread costs more than it gives.
torch.set_num_threads(1)


def user_space() -> Space:
    """A space as a user may declare one, its decisions of different sizes."""
    edges = (
        EdgeSpec(0, 1, ("point", "square")),
        EdgeSpec(0, 2),
        EdgeSpec(1, 2, ("keep", "point", "pool")),
    )
    return Space(
        name="user",
        candidates={
            "nothing": operations.none,
            "keep": operations.skip,
            "point": operations.conv(1),
            "square": operations.conv(3),
            "pool": operations.avg_pool(3, normed=True),
        },
        skeleton=Staged(CellSpec(1, 2, edges, (1, 2)), kind="knot", multipliers=(2, 4)),
        null="nothing",
    )


_WIDE = {"toponas-exaggerated", *(f"toponas-{number}" for number in range(5, 17))}
ALL_SPACES = (*(name for name in SPACES if name not in _WIDE), "user")
"""The names of every space that the tests go over.

Those left out are toponas-4 with more candidates, and slow: spaces/test_toponas.py looks at them.
"""

_TINY = {
    "nasbench201": Size(channels=4, cells=1, image_size=8),
    "darts": Size(channels=4, cells=3, image_size=8),
    "user": Size(channels=2, cells=1, image_size=8),
}


def any_space(name: str) -> Space:
    """The space of that name."""
    return user_space() if name == "user" else get_space(name)


def tiny(name: str) -> Size:
    """A size of that space that takes milliseconds."""
    if name.startswith("toponas-"):
        return _TINY["darts"]
    return _TINY.get(name, Size(channels=8, cells=4, image_size=16))


def architectures(space: Space, size: Size | None = None) -> SearchStrategy[Architecture]:
    """Random architectures of a space, at its tiny size if none is given."""
    wanted = size or tiny(space.name)
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda s: random_architecture(space, wanted, np.random.default_rng(s)))


def shapes(*, channels: int = 6, side: int = 9) -> SearchStrategy[Shape]:
    """Shapes up to a number of channels and pixels a side, height and width apart."""
    sides = st.integers(1, side)
    return st.builds(Shape, st.integers(1, channels), sides, sides)


@st.composite
def convolutions(draw: DrawFn, c_in: int) -> Conv:
    """Any convolution of `c_in` channels."""
    groups = draw(st.sampled_from([g for g in range(1, c_in + 1) if c_in % g == 0]))
    c_out = groups * draw(st.integers(1, 3))
    kernel, step = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 2))
    offset = draw(st.integers(0, step - 1)) if kernel == 1 else 0
    return Conv(c_in, c_out, kernel, step, dilation, groups, offset)


@st.composite
def primitives(draw: DrawFn, shape: Shape) -> Primitive:
    """Any primitive that takes as many channels as `shape` has; it may not fit on its pixels."""
    c = shape.channels
    start = draw(st.integers(0, c - 1))
    pools = st.tuples(st.integers(1, 5), st.integers(1, 3), st.sampled_from((0, c)), st.booleans())
    groups = [g for g in range(1, c + 1) if c % g == 0]
    kinds: list[SearchStrategy[Primitive]] = [
        st.builds(Zero, st.integers(1, 6), st.integers(1, 3)),
        st.just(ReLU()),
        convolutions(c),
        st.builds(BatchNorm, st.just(c), st.booleans()),
        pools.map(lambda p: MaxPool(*p)),
        pools.map(lambda p: AvgPool(*p)),
        st.integers(start + 1, c).map(lambda stop: Slice(c, start, stop)),
        st.sampled_from(groups).map(Shuffle),
        st.integers(1, c).map(lambda keep: KeepChannels(c, keep)),
        st.integers(1, 3).map(Subsample),
        st.booleans().map(lambda shared: Scale(c, shared)),
        st.integers(1, 4).map(lambda hidden: SqueezeExcite(c, hidden)),
        st.just(GlobalAvgPool()),
    ]
    if shape[1:] == (1, 1):
        kinds.append(st.builds(Linear, st.just(c), st.integers(1, 4), st.booleans()))
    return draw(st.one_of(kinds))


def _slot(draw: DrawFn, primitive: Primitive) -> Expr:
    """The primitive at work; now and then in a slot that all of its equals share."""
    shared = primitive.stateful and draw(st.integers(0, 3)) == 0
    return Op(primitive, f"shared/{primitive!r}" if shared else "")


def _leaf(draw: DrawFn, c_in: int, c_out: int, stride: int) -> Expr:
    """A short chain of primitives."""
    kernel = draw(st.sampled_from((1, 3, 5)))
    conv = Conv(c_in, c_out, kernel, stride, draw(st.sampled_from((1, 2))))
    kinds: list[Sequence[Primitive]] = [
        [conv],
        [ReLU(), conv, BatchNorm(c_out, draw(st.booleans()))],
        [Conv(c_in, c_in, kernel, stride, groups=c_in), Conv(c_in, c_out, 1)],
        [Zero(c_out, stride)],
    ]
    if c_in == c_out:
        norm = draw(st.sampled_from((0, c_out)))
        kinds += [[MaxPool(3, stride, norm)], [AvgPool(3, stride, norm)]]
        if stride == 1:
            kinds += [[], [ReLU()], [BatchNorm(c_out, affine=False)]]
    return chain(*(_slot(draw, primitive) for primitive in draw(st.sampled_from(kinds))))


def _expression(
    draw: DrawFn, c_in: int, c_out: int, stride: int, depth: int, numbers: Iterator[int]
) -> Expr:
    kinds = ["leaf", "chain", "choice", "choice", "merged", "mask"] + ["concat"] * (c_out > 1)
    kind = draw(st.sampled_from(kinds)) if depth else "leaf"
    if kind == "leaf":
        return _leaf(draw, c_in, c_out, stride)
    if kind == "chain":
        middle = draw(st.integers(1, 4))
        first = _expression(draw, c_in, middle, stride, depth - 1, numbers)
        return chain(first, _expression(draw, middle, c_out, 1, depth - 1, numbers))
    if kind == "concat":
        left = draw(st.integers(1, c_out - 1))
        widths = (left, c_out - left)
        return Concat(tuple(_expression(draw, c_in, w, stride, depth - 1, numbers) for w in widths))
    if kind == "mask":
        return _mask(draw, c_in, c_out, stride, numbers)
    if kind == "merged":
        return _merged(draw, c_in, c_out, stride, numbers)
    return _choice(draw, c_in, c_out, stride, depth, numbers)


def _choice(
    draw: DrawFn, c_in: int, c_out: int, stride: int, depth: int, numbers: Iterator[int]
) -> Choice:
    """Options for one or several candidates each, of all that there are or of some."""
    candidates = tuple("abcd"[: draw(st.integers(1, 4))])
    decision = Decision(f"question{next(numbers)}", candidates)
    members = draw(st.permutations(range(len(candidates))))
    members = members[: draw(st.integers(1, len(members)))]
    cuts = draw(st.sets(st.integers(1, max(len(members) - 1, 1))))
    bounds = sorted({0, len(members), *(cut for cut in cuts if cut < len(members))})
    options = tuple(
        Option(
            frozenset(members[start:stop]),
            _expression(draw, c_in, c_out, stride, depth - 1, numbers),
        )
        for start, stop in pairwise(bounds)
    )
    given = range(len(candidates)) if draw(st.booleans()) else members
    return Choice(decision, options, frozenset(given))


def _mask(draw: DrawFn, c_in: int, c_out: int, stride: int, numbers: Iterator[int]) -> Expr:
    """A convolution with a mask of its channels, merged or not."""
    kept = draw(st.lists(st.integers(1, c_out), min_size=1, max_size=3))
    bodies: list[Expr] = [chain(KeepChannels(c_out, keep)) for keep in kept]
    if draw(st.booleans()):
        bodies.append(Chain())
    decision = Decision(f"question{next(numbers)}", tuple("abcd"[: len(bodies)]))
    found = choose(decision, tuple(bodies))
    if draw(st.booleans()):
        found = replace(found, form="mask")
    return chain(Conv(c_in, c_out, 3, stride), found)


def _merged(draw: DrawFn, c_in: int, c_out: int, stride: int, numbers: Iterator[int]) -> Choice:
    """Convolutions of one signature, as the linear merge puts them together."""
    separable = c_in > 1 and draw(st.booleans())
    bodies: list[Expr] = []
    for _ in range(draw(st.integers(2, 3))):
        kernel, dilation = draw(st.sampled_from((1, 3, 5))), draw(st.sampled_from((1, 2)))
        groups = c_in if separable else 1
        conv = Conv(c_in, c_in if separable else c_out, kernel, stride, dilation, groups)
        norm = KernelNorm("filter", "norm") if draw(st.booleans()) else None
        conv = replace(conv, norm=norm)
        bodies.append(chain(conv, Conv(c_in, c_out, 1)) if separable else chain(conv))
    if not separable and c_in == c_out and stride == 1 and draw(st.booleans()):
        bodies.append(Chain())
    decision = Decision(f"question{next(numbers)}", tuple("abcd"[: len(bodies)]))
    form = "stack" if separable and draw(st.booleans()) else "kernel"
    return replace(choose(decision, tuple(bodies)), form=form)


@st.composite
def expressions(
    draw: DrawFn,
    c_in: int = 3,
    c_out: int | None = None,
    stride: int | None = None,
    *,
    depth: int = 3,
    prefix: str = "edge",
    numbers: Iterator[int] | None = None,
) -> Expr:
    """Valid expressions of chains, concatenations and nested choices, with all slots named.

    Each choice asks a question of its own, numbered by `numbers`.
    """
    width = c_out or draw(st.integers(1, 5))
    step = stride or draw(st.sampled_from((1, 2)))
    drawn = _expression(draw, c_in, width, step, depth, numbers or count())
    return name_slots(drawn, prefix)


@st.composite
def cells(
    draw: DrawFn,
    widths: tuple[int, ...] = (3,),
    *,
    depth: int = 2,
    prefix: str = "cell",
    numbers: Iterator[int] | None = None,
) -> Cell:
    """Cells of 3 channels with one to three nodes, over inputs of the given widths."""
    numbers = numbers or count()
    inputs = tuple(
        draw(expressions(w, 3, 1, depth=1, prefix=f"{prefix}/input{i}", numbers=numbers))
        for i, w in enumerate(widths)
    )
    nodes = draw(st.integers(1, 3))
    edges: list[Edge] = []
    for target in range(len(inputs), len(inputs) + nodes):
        sources = draw(st.lists(st.integers(0, target - 1), min_size=1, max_size=3))
        for number, source in enumerate(sources):
            place = f"{prefix}/{source}->{target}/{number}"
            body = draw(expressions(3, 3, 1, depth=depth, prefix=place, numbers=numbers))
            edges.append(Edge(source, target, body))
    last = len(inputs) + nodes - 1
    output = draw(st.lists(st.integers(0, last), min_size=1, max_size=2, unique=True))
    return Cell("drawn", inputs, nodes, tuple(edges), tuple(output))


@st.composite
def networks(draw: DrawFn, *, depth: int = 2) -> Network:
    """A strided stem, one or two cells that read what stands before them, and a classifier."""
    numbers = count()
    stem = draw(expressions(2, 3, 2, depth=1, prefix="stem", numbers=numbers))
    steps, name = [Step("stem", stem, (INPUT,))], "stem"
    widths = {"stem": 3}
    for position in range(draw(st.integers(1, 2))):
        name = f"cell{position}"
        read = draw(st.lists(st.sampled_from(sorted(widths)), min_size=1, max_size=2))
        cell = draw(
            cells(tuple(widths[r] for r in read), depth=depth, prefix=name, numbers=numbers)
        )
        steps.append(Step(name, cell, tuple(read)))
        widths[name] = 3 * len(cell.output)
    head = name_slots(chain(GlobalAvgPool(), Linear(widths[name], 4)), "head")
    sides = st.integers(3, 7)
    image = Shape(2, draw(sides), draw(sides))
    return Network(image, (*steps, Step("head", head, (name,))))


def seeded(network: Network, seed: int = 0) -> GraphModule:
    """The network in float64, its weights and statistics random, in training mode."""
    generator = torch.Generator().manual_seed(seed)
    module = GraphModule(network).double()
    with torch.no_grad():
        for name, tensor in sorted(module.state_dict().items()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=torch.float64))
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return module


def images(network: Network, batch: int = 3, seed: int = 0) -> Tensor:
    """Noise of the network's image shape in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, *network.image, generator=generator, dtype=torch.float64)


def mixture_of(module: GraphModule, seed: int = 0) -> Mixture | None:
    """A random softmax mixture in float64 for the open decisions; None if there are none."""
    if not module.decisions:
        return None
    generator = torch.Generator().manual_seed(seed)
    table = logits_table(module.decisions).double()
    return Mixture.from_logits(table + torch.randn(table.shape, generator=generator).double())
