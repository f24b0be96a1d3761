"""Every registered primitive keeps the contract: its description is what its module does.

A primitive without samples here fails `test_every_primitive_has_samples`.
"""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, fields

import pytest
import torch
from hypothesis import assume, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archwright.backends import LogitsModule, Program, Session, max_error, to_onnx, to_program
from archwright.errors import ConfigError, GraphError
from archwright.graph import (
    INPUT,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvgPool,
    KeepChannels,
    Linear,
    MaxPool,
    Network,
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
    name_slots,
    primitive_types,
    register_primitive,
)
from archwright.graph.ops import PLUGINS, KernelNorm
from archwright.graph.primitive import REGISTERED
from archwright.io.plugins import plugins
from archwright.lowering import FusedNetwork, GraphModule

from ..strategies import images, seeded

SHAPE = Shape(8, 7, 6)
ONE_PIXEL = Shape(8, 1, 1)

SAMPLES: dict[str, tuple[Primitive, ...]] = {
    "avg_pool": (AvgPool(3), AvgPool(2, 2), AvgPool(3, 2, norm=8), AvgPool(5, 2, valid=True)),
    "batch_norm": (BatchNorm(8), BatchNorm(8, affine=False)),
    "conv": (
        Conv(8, 4, 3),
        Conv(8, 4, 1),
        Conv(8, 8, 5, 2, 2, groups=8),
        Conv(8, 4, 3, groups=2),
        Conv(8, 4, 1, 2, offset=1),
        Conv(8, 4, 3, norm=KernelNorm("filter", "norm")),
        Conv(8, 4, 3, norm=KernelNorm("kernel", "deviation")),
    ),
    "global_avg_pool": (GlobalAvgPool(),),
    "keep_channels": (KeepChannels(8, 4), KeepChannels(8, 6), KeepChannels(8, 8)),
    "linear": (Linear(8, 4), Linear(8, 4, bias=False)),
    "max_pool": (MaxPool(3), MaxPool(2, 2), MaxPool(3, 2, norm=8), MaxPool(4, valid=True)),
    "relu": (ReLU(),),
    "scale": (Scale(8), Scale(8, shared=True)),
    "shuffle": (Shuffle(2), Shuffle(4)),
    "slice": (Slice(8, 0, 4), Slice(8, 4, 6)),
    "squeeze_excite": (SqueezeExcite(8, 3),),
    "subsample": (Subsample(1), Subsample(2)),
    "zero": (Zero(4), Zero(8, 2)),
}
ALL = [pytest.param(p, id=f"{kind}: {p!r}") for kind, group in SAMPLES.items() for p in group]
EVERY = pytest.mark.parametrize("described", ALL)


def given(described: Primitive) -> Shape:
    """A shape that the sample takes."""
    return ONE_PIXEL if isinstance(described, Linear) else SHAPE


def of(described: Primitive) -> Network:
    """A network of it alone."""
    body = name_slots(chain(described), "only")
    return Network(given(described), (Step("only", body, (INPUT,)),))


def module_of(described: Primitive) -> nn.Module:
    """Its module in float64 and evaluation mode, with random state."""
    torch.manual_seed(0)
    module = described.build().double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_()
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return module


def noise(shape: Shape, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


def shapes_of(module: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


def test_every_primitive_has_samples() -> None:
    own = {
        k: cls for k, cls in primitive_types().items() if cls.__module__.startswith("archwright")
    }
    assert set(SAMPLES) == set(own)
    for kind, samples in SAMPLES.items():
        assert {type(sample) for sample in samples} == {own[kind]}
        assert own[kind].kind == kind


@EVERY
def test_it_is_a_value(described: Primitive) -> None:
    values = {field.name: getattr(described, field.name) for field in fields(described)}
    again = type(described)(**values)
    assert again == described
    assert hash(again) == hash(described)
    assert 1 <= len(described.label()) <= 16
    if values:
        with pytest.raises(FrozenInstanceError):
            setattr(described, next(iter(values)), 1)


@EVERY
def test_shape_parameters_and_macs_are_those_of_the_module(described: Primitive) -> None:
    module, shape = module_of(described), given(described)
    out, made = described.out_shape(shape), module(noise(shape, 0))
    assert made.shape[1:] == (out if made.ndim == 4 else out[:1])
    assert described.params == sum(p.numel() for p in module.parameters())
    assert described.stateful == bool(module.state_dict())
    if made.ndim == 4 and out[1:] != (1, 1):
        assert out[1:] == tuple(-(-s // described.stride) for s in shape[1:]) or getattr(
            described, "valid", False
        )
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        described.build().eval()(torch.empty(1, *shape))
    assert described.macs(shape) == counter.get_total_flops() / 2


@EVERY
def test_linear_zero_and_identity_hold_of_numbers(described: Primitive) -> None:
    module, shape = module_of(described), given(described)
    x, y = noise(shape, 1), noise(shape, 2)
    with torch.no_grad():
        made, mixed = module(x), module(2 * x - 3 * y)
        agrees = torch.allclose(mixed, 2 * made - 3 * module(y))
    assert described.linear == agrees
    assert described.zero == (not made.any())
    if described.identity_like:  # but for scale and resolution
        thinned = x[:, :, :: described.stride, :: described.stride]
        ratio = made / thinned
        torch.testing.assert_close(ratio, ratio[:1, :, :1, :1].expand_as(ratio))


@EVERY
def test_channelwise_holds_of_numbers(described: Primitive) -> None:
    module, x = module_of(described), noise(given(described), 1)
    with torch.no_grad():
        made, changes = module(x), list[bool]()
        for channel in range(x.shape[1]):
            other = x.clone()
            other[:, channel] = noise(given(described), 2)[:, channel]
            changed = (module(other) - made).flatten(2 if made.ndim == 4 else 1).abs().amax(-1)
            changes.append(set(changed.amax(0).nonzero().flatten().tolist()) <= {channel})
    assert described.zero or described.channelwise == (all(changes) and made.shape[1] == x.shape[1])


@EVERY
def test_normalises_holds_of_numbers(described: Primitive) -> None:
    module, x = module_of(described).train(), noise(given(described), 1)
    with torch.no_grad():
        same = torch.allclose(module(3 * x), module(x), rtol=1e-3, atol=1e-3)
        if described.channelwise and not described.normalises:
            assert not module(torch.zeros_like(x)).any()
    assert described.normalises == (same and not described.zero)


@EVERY
def test_onnx_agrees_with_torch(described: Primitive) -> None:
    module = seeded(of(described)).float().eval()
    answer = LogitsModule(module)
    max_error(answer, Session(to_onnx(module)), given(described), batches=(1, 2, 3))


def test_programs_of_torch_call_the_operators_that_primitives_name() -> None:
    samples = [p for group in SAMPLES.values() for p in group if not isinstance(p, Linear)]
    pooled = Concat(tuple(chain(sample, GlobalAvgPool()) for sample in samples))
    everything = Network(SHAPE, (Step("all", name_slots(pooled, "all"), (INPUT,)),))
    for network in (everything, *map(of, SAMPLES["linear"])):
        module = seeded(network).float().eval()
        max_error(LogitsModule(module), Program(to_program(module)), network.image)


@EVERY
def test_both_lowerings_agree(described: Primitive) -> None:
    plain, fused = seeded(of(described)), FusedNetwork(of(described)).double()
    fused.load_state_dict(plain.state_dict())
    x = images(plain.network)
    torch.testing.assert_close(fused(x)[0], plain(x)[0])


@EVERY
def test_half_of_the_channels(described: Primitive) -> None:
    shape = given(described)
    half, out = described.split_channels(2), described.out_shape(shape)
    narrow = Shape(shape.channels // 2, *shape[1:])
    assert half.out_shape(narrow) == Shape(out.channels // 2, *out[1:])
    assert shapes_of(half.build()).keys() == shapes_of(described.build()).keys()
    assert described.split_channels(1) == described
    if half != described:  # then it has a number of channels, which 3 does not divide
        with pytest.raises(GraphError, match="channels do not divide into 3 equal parts"):
            described.split_channels(3)


@EVERY
def test_a_narrower_module_is_read_back(described: Primitive) -> None:
    half = described.split_channels(2)
    if described.resizable:
        assert described.resized(described.build().state_dict()) == described
        assert described.resized(half.build().state_dict()) == half
    else:
        with pytest.raises(GraphError, match="cannot be made narrower: prune nodes or operations"):
            described.resized(half.build().state_dict())


@EVERY
@settings(max_examples=8, deadline=None)
@drawn(data=st.data())
def test_it_without_some_channels(described: Primitive, data: st.DataObject) -> None:
    """Fed with zeros but in some channels, it is the narrow module on these, where there is one."""
    shape = given(described)
    out = described.out_shape(shape)
    numbers = st.sets(st.sampled_from(range(8)), min_size=1)
    live, wanted = (tuple(sorted(data.draw(numbers))) for _ in range(2))
    wanted = tuple(channel for channel in wanted if channel < out.channels)
    needed = described.channels_needed(wanted, shape)
    read = tuple(channel for channel in live if channel in needed)
    made = described.channels_made(read, wanted, shape)
    assume(read and made)
    x = torch.zeros(2, *shape, dtype=torch.float64)
    x[:, read] = noise(shape, 4)[:, read]
    module = module_of(described)
    whole = module(x)
    rest = [channel for channel in wanted if channel not in made]
    assert not whole[:, rest].any()
    masked = described.normalises and read != made
    whole_only = isinstance(described, Shuffle) or (
        isinstance(described, Conv)
        and (described.groups == 2 or described.norm == KernelNorm("kernel", "deviation"))
    )
    if masked or (whole_only and (len(read), len(made)) != (8, out.channels)):
        with pytest.raises(GraphError, match="behind it" if masked else "cannot be made narrower"):
            described.narrowed(read, made, shape)
        return
    narrow = described.narrowed(read, made, shape)
    if narrow is None:
        torch.testing.assert_close(x[:, read], whole[:, made])
        return
    assert narrow.out_shape(Shape(len(read), *shape[1:])) == Shape(len(made), *out[1:])
    slim = narrow.build().double().eval()
    state = module.state_dict()
    if narrow != described:
        state = described.narrowed_state(state, read, made)
    slim.load_state_dict(dict(state))
    torch.testing.assert_close(slim(x[:, read]), whole[:, made])


@EVERY
def test_its_state_is_handed_over(described: Primitive) -> None:
    module, again = module_of(described), described.build().double().eval()
    again.load_state_dict(dict(described.state_for(described, module.state_dict())))
    x = noise(given(described), 3)
    assert torch.equal(again(x), module(x))


def test_a_normalised_kernel_is_handed_over_as_it_convolves() -> None:
    normed, plain = Conv(8, 4, 3, norm=KernelNorm("filter", "norm")), Conv(8, 4, 3)
    module, again = module_of(normed), plain.build().double()
    again.load_state_dict(dict(normed.state_for(plain, module.state_dict())))
    torch.testing.assert_close(again(noise(SHAPE, 3)), module(noise(SHAPE, 3)))


@pytest.fixture
def registry() -> Iterator[None]:
    """The registered classes, put back after the test."""
    held = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(held)


@dataclass(frozen=True)
class Toy(Primitive):
    """A primitive with nothing but what a primitive must have."""

    def out_shape(self, shape: Shape) -> Shape:
        return shape

    def build(self) -> nn.Module:
        return nn.Tanh()

    def label(self) -> str:
        return "toy"


def test_a_toy_goes_everywhere_but_into_a_file_of_which_it_knows_nothing(
    registry: None,
) -> None:
    toy = register_primitive("toy")(Toy)()
    assert primitive_types()["toy"] is Toy
    assert (toy.kind, toy.linear, toy.params, toy.macs(SHAPE)) == ("toy", False, 0, 0)
    network = of(toy)
    x = images(network)
    assert torch.equal(GraphModule(network)(x)[0], x.tanh())
    assert torch.equal(FusedNetwork(network)(x)[0], x.tanh())
    with pytest.raises(GraphError, match="toy has no form in ONNX: it cannot be exported"):
        to_onnx(GraphModule(network).eval())


def test_a_name_is_given_once(registry: None) -> None:
    register_primitive("relu")(
        ReLU
    )  # the same class may come again, as of a module that is reloaded
    with pytest.raises(
        GraphError, match=r"primitive 'relu' is archwright\.graph\.ops\.pointwise\.R"
    ):
        register_primitive("relu")(Toy)
    assert primitive_types()["relu"] is ReLU


@pytest.mark.parametrize(
    ("place", "error", "line"),
    [
        (
            "archwright.nowhere:Toy",
            ConfigError,
            r"archwright\.nowhere:Toy cannot be loaded \(Modul",
        ),
        (
            "archwright.graph:Toy",
            ConfigError,
            r"archwright\.graph:Toy cannot be loaded \(Attribute",
        ),
        ("archwright.graph:ReLU", GraphError, r"does not register the primitive 'toy' that its en"),
    ],
)
def test_a_broken_package_is_named(
    registry: None, monkeypatch: pytest.MonkeyPatch, place: str, error: type[Exception], line: str
) -> None:
    monkeypatch.setattr("archwright.graph.ops.plugins", {PLUGINS: {"toy": place}}.__getitem__)
    with pytest.raises(error, match=line):
        primitive_types()


def test_no_group_is_no_error() -> None:
    assert plugins("archwright.nothing") == {}
