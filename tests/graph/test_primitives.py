"""Primitives say of themselves what their modules do."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archwright.errors import GraphError
from archwright.graph import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    KeepChannels,
    Linear,
    MaxPool,
    Primitive,
    ReLU,
    Scale,
    Shape,
    Shuffle,
    Slice,
    SqueezeExcite,
    Subsample,
    Zero,
)

from ..strategies import primitives, shapes

ONE_PIXEL = Shape(3, 1, 1)


def built(primitive: Primitive) -> nn.Module:
    """Its module in float64 and evaluation mode, with random state."""
    module = primitive.build().double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(1.0)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return module


def noise(shape: Shape) -> torch.Tensor:
    return torch.randn(2, *shape, dtype=torch.float64)


@given(st.data())
def test_primitives_describe_their_modules(data: st.DataObject) -> None:
    shape = data.draw(st.one_of(shapes(), st.just(ONE_PIXEL)))
    primitive = data.draw(primitives(shape))
    module = built(primitive)
    x, y = noise(shape), noise(shape)
    try:
        out = primitive.out_shape(shape)
    except GraphError:
        with pytest.raises(RuntimeError):
            module(x)
        return
    made = module(x)
    assert made.shape[1:] == (out if made.ndim == 4 else out[:1])
    assert primitive.params == sum(p.numel() for p in module.parameters())
    assert primitive.stateful == bool(module.state_dict())
    assert not primitive.zero or not made.any()
    if primitive.linear:
        torch.testing.assert_close(module(2 * x - 3 * y), 2 * made - 3 * module(y))
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        primitive.build().eval()(torch.empty(1, *shape))
    assert primitive.macs(shape) == counter.get_total_flops() / 2


@pytest.mark.parametrize(
    "primitive",
    [
        ReLU(),
        BatchNorm(3),
        BatchNorm(3, affine=False),
        MaxPool(3),
        MaxPool(3, norm=3),
        AvgPool(3, norm=3),
        SqueezeExcite(3, 2),
        Linear(3, 5),
    ],
)
def test_what_is_not_linear_says_so(primitive: Primitive) -> None:
    assert not primitive.linear
    shape = ONE_PIXEL if isinstance(primitive, Linear) else Shape(3, 5, 5)
    module, x, y = built(primitive), noise(shape), noise(shape)
    assert not torch.allclose(module(2 * x - 3 * y), 2 * module(x) - 3 * module(y))


@pytest.mark.parametrize(
    "primitive",
    [
        Zero(3, 2),
        Conv(3, 4, 3, 2),
        Conv(3, 4, 5, 2, 2),
        Conv(3, 4, 1, 2, offset=1),
        MaxPool(3, 2),
        AvgPool(3, 2),
        AvgPool(2, 2),
        MaxPool(2, 2),
        Subsample(2),
    ],
)
@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_what_strides_alike_agrees_on_every_size(primitive: Primitive, side: int) -> None:
    half = -(-side // 2)
    assert primitive.stride == 2
    assert primitive.out_shape(Shape(3, side, side))[1:] == (half, half)


@pytest.mark.parametrize("kernel", [2, 4])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_windows_cut_off_by_the_border_are_counted_as_torch_does(kernel: int, step: int) -> None:
    pool = AvgPool(kernel, step)
    for side in range(kernel, 13):
        x = torch.randn(1, 1, side, side)
        assert pool.out_shape(Shape(1, side, side)) == pool.build()(x).shape[1:]


@given(shapes(channels=1), st.integers(2, 3), st.data())
def test_an_offset_shifts_the_pixels_that_are_read(
    shape: Shape, step: int, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(1, step - 1))
    module = Conv(1, 1, 1, step, offset=offset).build().double()
    torch.nn.init.ones_(next(module.parameters()))
    x = noise(shape)
    padded = functional.pad(x, (0, step, 0, step))[:, :, offset::step, offset::step]
    height, width = (-(-size // step) for size in shape[1:])
    assert torch.equal(module(x), padded[:, :, :height, :width])


def test_a_pool_takes_the_mean_of_the_pixels_that_are_there() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    corner = AvgPool(3).build()(x)[0, 0, 0, 0]
    assert corner == pytest.approx((0 + 1 + 3 + 4) / 4)
    assert AvgPool(2, 2).build()(x).flatten().tolist() == [2.0, 3.5, 6.5, 8.0]


def test_what_recalibrates_and_scales_starts_as_the_identity() -> None:
    x = noise(Shape(6, 5, 4))
    for primitive in (SqueezeExcite(6, 2), Scale(6), Scale(6, shared=True)):
        assert torch.equal(primitive.build().double()(x), x)


def test_squeeze_and_excitation_weighs_each_channel_by_the_mean_of_all() -> None:
    module, x = built(SqueezeExcite(3, 2)), noise(Shape(3, 4, 5))
    state = module.state_dict()
    hidden = x.mean((2, 3)) @ state["squeeze.weight"].T + state["squeeze.bias"]
    made = hidden.clamp(min=0) @ state["expand.weight"].T + state["expand.bias"]
    torch.testing.assert_close(module(x), x * (2 / (1 + torch.exp(-made)))[:, :, None, None])


def test_a_subsample_keeps_the_first_pixel_of_each_window() -> None:
    x = noise(Shape(2, 5, 6))
    assert torch.equal(Subsample(2).build()(x), x[:, :, [0, 2, 4]][:, :, :, [0, 2, 4]])


def test_a_shuffle_deals_channels_out() -> None:
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert Shuffle(2).build()(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("primitive", "label"),
    [
        (Conv(4, 8, 3, 2), "conv3/2"),
        (Conv(4, 4, 5, dilation=2, groups=4), "dw5d2"),
        (Conv(4, 8, 1, 2, offset=1), "pw/2+1"),
        (MaxPool(3, 2, norm=4), "maxpool3/2_bn"),
        (AvgPool(2, 2), "avgpool2/2"),
        (Slice(8, 0, 4), "slice[0:4]"),
        (KeepChannels(8, 4), "keep4"),
        (Shuffle(2), "shuffle2"),
        (GlobalAvgPool(), "gap"),
        (Linear(4, 2), "linear"),
        (BatchNorm(4), "bn"),
        (ReLU(), "relu"),
        (Zero(4), "zero"),
        (Scale(4), "scale"),
        (Scale(4, shared=True), "scale1"),
        (SqueezeExcite(4, 2), "se2"),
        (Subsample(2), "id/2"),
    ],
)
def test_labels_are_short(primitive: Primitive, label: str) -> None:
    assert primitive.label() == label


@pytest.mark.parametrize(
    ("whole", "half"),
    [
        (Conv(8, 4, 3), Conv(4, 2, 3)),
        (Conv(8, 8, 3, groups=8), Conv(4, 4, 3, groups=4)),
        (Linear(8, 4), Linear(4, 2)),
        (BatchNorm(8), BatchNorm(4)),
        (MaxPool(3, norm=8), MaxPool(3, norm=4)),
        (Scale(8), Scale(4)),
        (SqueezeExcite(8, 3), SqueezeExcite(4, 3)),
        (Slice(8, 4, 6), Slice(4, 2, 3)),
        (KeepChannels(8, 6), KeepChannels(4, 3)),
        (Shuffle(4), Shuffle(2)),
        (Zero(4), Zero(2)),
        (ReLU(), ReLU()),
    ],
)
def test_half_of_the_channels(whole: Primitive, half: Primitive) -> None:
    assert whole.split_channels(2) == half


def test_kinds_of_convolutions() -> None:
    assert Conv(4, 4, 3, groups=4).depthwise
    assert not Conv(4, 4, 3, groups=2).depthwise
    assert not Conv(1, 1, 3).depthwise
    assert Conv(4, 8, 1).pointwise
    assert not any(
        conv.pointwise for conv in (Conv(4, 8, 1, 2), Conv(4, 8, 3), Conv(4, 4, 1, groups=4))
    )


@pytest.mark.parametrize(
    ("shape", "primitive", "message"),
    [
        (Shape(3, 4, 4), Conv(4, 8, 3), "conv3 takes 4 channels, got 3"),
        (Shape(3, 4, 4), BatchNorm(4), "bn takes 4 channels, got 3"),
        (Shape(3, 4, 4), AvgPool(3, norm=4), "avgpool3_bn takes 4 channels, got 3"),
        (Shape(3, 4, 4), Slice(4, 0, 1), r"slice\[0:1\] takes 4 channels, got 3"),
        (Shape(3, 4, 4), KeepChannels(4, 1), "keep1 takes 4 channels, got 3"),
        (Shape(3, 4, 4), Shuffle(2), "3 channels do not divide into 2 groups"),
        (Shape(3, 4, 4), Linear(3, 2), "linear takes 3x1x1, got 3x4x4"),
        (Shape(3, 4, 4), Scale(4), "scale takes 4 channels, got 3"),
        (Shape(3, 4, 4), SqueezeExcite(4, 2), "se2 takes 4 channels, got 3"),
        (Shape(3, 1, 9), Conv(3, 3, 2), "conv2 does not fit on 1x9 pixels"),
        (Shape(3, 4, 9), AvgPool(5, 2, valid=True), "avgpool5/2 does not fit on 4x9 pixels"),
    ],
)
def test_shapes_that_do_not_fit(shape: Shape, primitive: Primitive, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        primitive.out_shape(shape)


def test_primitives_that_cannot_be() -> None:
    with pytest.raises(GraphError, match="3 -> 4 channels do not divide into 2 groups"):
        Conv(3, 4, 1, groups=2)
    with pytest.raises(GraphError, match="no convolution of 3 -> 0 channels, kernel 1, stride 1"):
        Conv(3, 0, 1)
    with pytest.raises(GraphError, match=r"offset 1 of conv3/2\+1 needs a kernel of 1"):
        Conv(3, 4, 3, 2, offset=1)
    with pytest.raises(GraphError, match=r"offset 2 of pw/2\+2 needs .* a stride above it"):
        Conv(3, 4, 1, 2, offset=2)
    with pytest.raises(GraphError, match="squeeze and excitation needs a unit, got 0"):
        SqueezeExcite(3, 0)
    with pytest.raises(GraphError, match=r"slice\[2:5\] selects no channels, or others than the 4"):
        Slice(4, 2, 5)
    for keep in (0, 5):
        message = f"keep_channels keeps {keep} of 4 channels: choose 1 to 4"
        with pytest.raises(GraphError, match=message):
            KeepChannels(4, keep)
    for make, message in (
        (lambda: MaxPool(0), "MaxPool: kernel must be at least 1, got 0"),
        (lambda: AvgPool(3, 0), "AvgPool: step must be at least 1, got 0"),
        (lambda: AvgPool(3, norm=-1), "a pool's norm has at least 0 channels, got -1"),
        (lambda: Zero(-1), "Zero: channels must be at least 1, got -1"),
        (lambda: Subsample(0), "Subsample: step must be at least 1, got 0"),
        (lambda: Shuffle(0), "Shuffle: groups must be at least 1, got 0"),
        (lambda: Linear(3, 0), "Linear: c_out must be at least 1, got 0"),
    ):
        with pytest.raises(GraphError, match=message):
            make()
