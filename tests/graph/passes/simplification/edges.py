"""Edges to simplify: random ones with much in common, networks of one edge, and comparisons."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

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
    KeepChannels,
    MaxPool,
    Network,
    Op,
    Primitive,
    ReLU,
    Shape,
    Step,
    Zero,
    chain,
    choose,
    concat,
    name_slots,
)
from archwright.graph.passes.restriction import select
from archwright.lowering import GraphModule, Mixture, logits_table

from ....strategies import seeded

C = 4
SHAPE = Shape(C, 7, 6)


def depthwise(kernel: int, dilation: int = 1, stride: int = 1) -> Conv:
    return Conv(C, C, kernel, stride, dilation, groups=C)


POINT = Conv(C, C, 1)
NORM = BatchNorm(C, affine=False)


def edge(*bodies: Expr | Primitive, names: str = "abcdefgh") -> Choice:
    """A choice among bodies, every slot named."""
    made = tuple(chain(body) for body in bodies)
    named = name_slots(choose(Decision("kind/0->1", tuple(names[: len(made)])), made), "edge")
    assert isinstance(named, Choice)
    return named


def network(body: Expr, shape: Shape = SHAPE) -> Network:
    """The network that is this one edge."""
    cell = Cell("kind", (chain(),), 1, (Edge(0, 1, body),), (1,))
    return Network(shape, (Step("cell", cell, (INPUT,)),))


def body_of(found: Network) -> Expr:
    """The expression of a network's one edge."""
    (step,) = found.steps
    assert isinstance(step.body, Cell)
    return step.body.edges[0].body


_ONES: tuple[Primitive, ...] = (ReLU(), NORM, POINT)
_CONVS = (
    *(depthwise(3), depthwise(5), depthwise(3, 2), depthwise(5, 2), depthwise(7)),
    *(Conv(C, C, 3), POINT, Conv(C, C, 5), Conv(C, C, 3, groups=2)),
)


def _strided(conv: Conv, stride: int) -> Conv:
    return Conv(C, C, conv.kernel, stride, conv.dilation, conv.groups)


def _halves(stride: int) -> Concat:
    return concat(Conv(C, 2, 1, stride), Conv(C, 2, 1, stride, offset=stride // 2))


def _candidate(draw: DrawFn, stride: int, depth: int, numbers: Iterator[int]) -> Expr:
    kinds = ["stack", "conv", "separable", "free", "concat", "row", "width"] + ["choice"] * (
        depth > 0
    )
    kind = draw(st.sampled_from(kinds))
    conv = draw(st.sampled_from(_CONVS))
    first = _strided(conv, stride)
    if kind == "conv":
        return chain(first)
    if kind == "width":
        behind = draw(st.sampled_from([(), (POINT,), (NORM,), (ReLU(), NORM)]))
        return chain(first, NORM, KeepChannels(C, draw(st.integers(1, C))), *behind)
    if kind == "separable":
        return chain(_strided(draw(st.sampled_from(_CONVS[:5])), stride), POINT)
    if kind == "stack":
        second = draw(st.sampled_from([(), (ReLU(), conv, POINT, NORM), (ReLU(), conv, NORM)]))
        return chain(ReLU(), first, *draw(st.sampled_from([(), (POINT,)])), NORM, *second)
    if kind == "concat":
        two = draw(st.booleans())
        joined = chain(_halves(stride), *([NORM] if two else []))
        return chain(ReLU(), joined) if draw(st.booleans()) else joined
    if kind == "choice":
        return _choice(draw, stride, depth - 1, numbers)
    if kind == "row":
        rest = draw(st.lists(st.sampled_from((*_ONES, conv)), max_size=5))
        return chain(*draw(st.lists(st.sampled_from(_ONES), max_size=2)), first, *rest)
    free: list[Primitive] = [Zero(C, stride), MaxPool(3, stride), AvgPool(3, stride, C)]
    found = draw(st.sampled_from([*free, None]))
    return chain(*([found] if found else [] if stride == 1 else [first]))


def _choice(draw: DrawFn, stride: int, depth: int, numbers: Iterator[int]) -> Choice:
    bodies = [_candidate(draw, stride, depth, numbers) for _ in range(draw(st.integers(2, 5)))]
    decision = Decision(f"question{next(numbers)}", tuple("abcde"[: len(bodies)]))
    return choose(decision, tuple(bodies))


@st.composite
def alike(draw: DrawFn, *, depth: int = 1) -> Choice:
    """A choice among candidates of a few sorts, so that there is something to share."""
    stride = draw(st.sampled_from((1, 1, 2)))
    named = name_slots(_choice(draw, stride, depth, count()), "edge")
    assert isinstance(named, Choice)
    return named


def selected(expr: Expr, answers: Mapping[str, str]) -> Expr:
    """`expr` with every choice answered."""
    found = select(expr, answers)
    assert found is not None
    return found


def bare(expr: Expr) -> Expr:
    """What `expr` does: chains laid flat, slots forgotten."""
    match expr:
        case Op(primitive):
            return Op(primitive)
        case Concat(branches):
            return Concat(tuple(bare(branch) for branch in branches))
        case Chain(items):
            parts: list[Expr] = []
            for item in items:
                found = bare(item)
                parts += found.items if isinstance(found, Chain) else [found]
            return parts[0] if len(parts) == 1 else Chain(tuple(parts))
        case Choice():
            raise AssertionError("nothing is left to be decided")


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def twin(found: GraphModule, other: Network) -> GraphModule:
    """`other` with the weights and statistics of the same slots; there are no more and no fewer."""
    module = GraphModule(other).double()
    module.load_state_dict(found.state_dict())
    return module.train(found.training)


def run(module: GraphModule, logits: Tensor | None, seed: int = 0) -> dict[str, Tensor]:
    """Output and every gradient of a random loss, and the buffers after it."""
    x = noise(3, *module.network.image, seed=seed).requires_grad_()
    leaf = None if logits is None else logits.clone().requires_grad_()
    module.zero_grad()
    out, _ = module(x, None if leaf is None else Mixture.from_logits(leaf))
    (out * noise(*out.shape, seed=seed + 1)).sum().backward()
    found = {"output": out.detach(), "x": _grad(x), **dict(module.named_buffers())}
    found.update({name: _grad(parameter) for name, parameter in module.named_parameters()})
    return found if leaf is None else {**found, "logits": _grad(leaf)}


def _grad(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def logits_of(module: GraphModule, seed: int = 0) -> Tensor:
    """Random logits for the open decisions."""
    table = logits_table(module.decisions).double()
    return table + noise(*table.shape, seed=seed)


def assert_same(before: Network, after: Network, logits: Tensor | None = None) -> None:
    """The networks agree in float64: output, every gradient, running statistics."""
    ours = seeded(before)
    theirs = twin(ours, after)
    wanted = logits_of(ours) if logits is None and ours.decisions else logits
    expected, found = run(ours, wanted), run(theirs, wanted)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        torch.testing.assert_close(
            found[name], value, rtol=1e-10, atol=1e-10 * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


def assert_one_hot(before: Network, after: Network, answers: Mapping[str, str]) -> None:
    """`after` at one-hot weights is the candidate, and its restriction inherits its weights."""
    supernet = seeded(after)
    alone = network(selected(body_of(after), answers), before.image)
    assert bare(body_of(alone)) == bare(selected(body_of(before), answers))
    heir = GraphModule(alone).double()
    heir.inherit(supernet)
    mixture = (
        Mixture.one_hot(supernet.decisions, answers, like=torch.zeros(1).double())
        if supernet.decisions
        else None
    )
    for training in (True, True, False):  # the two batches move the running statistics
        x = noise(3, *before.image, seed=int(training))
        ours, theirs = supernet.train(training)(x, mixture)[0], heir.train(training)(x)[0]
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def answers_of(decisions: Sequence[Decision], data: st.DataObject) -> dict[str, str]:
    """A candidate drawn for each decision."""
    return {d.name: data.draw(st.sampled_from(d.candidates)) for d in decisions}
