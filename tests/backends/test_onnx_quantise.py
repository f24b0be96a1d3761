"""8-bit networks: close to their float32 network, of any batch size, and smaller if wide."""

import onnx
import pytest
import torch
from torch import Tensor

from archwright.backends import LogitsModule, Session, to_int8, to_onnx
from archwright.lowering import GraphModule
from archwright.spaces import Size, get_space, read_architecture

TEXT = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+"
    "|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
)


@pytest.fixture(scope="module")
def module() -> GraphModule:
    torch.manual_seed(0)
    network = get_space("nasbench201").discrete(
        read_architecture(TEXT), Size(channels=16, cells=1, image_size=8)
    )
    return GraphModule(network).eval()


def noise(module: GraphModule, count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *module.network.image, generator=generator)


def test_an_8_bit_network_is_close_smaller_and_of_any_batch(module: GraphModule) -> None:
    content = to_onnx(module, {"weights": "float32", "other": "kept"})
    batches = (noise(module, 32, seed) for seed in range(2))
    made = to_int8(content, batches, {"weights": "int8"})
    session = Session(made)
    assert session.metadata == {"weights": "int8"}
    for count in (1, 200):
        images = noise(module, count, 9)
        with torch.no_grad():
            wanted = LogitsModule(module)(images)
        assert (session(images) - wanted).norm() < 0.05 * wanted.norm()
    assert len(made) < len(content) / 2


def test_folded_weights_are_8_bit(module: GraphModule) -> None:
    made = to_int8(to_onnx(module), [noise(module, 8, 0)], {})
    graph = onnx.load_from_string(made).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("BatchNormalization") == 1  # the head's, which follows a sum
    weights = {value.name: value for value in graph.initializer}
    convs = [node for node in graph.node if node.op_type == "Conv"]
    assert convs
    sources = {node.output[0]: node for node in graph.node}
    for conv in convs:
        unpacked = sources[conv.input[1]]
        assert unpacked.op_type == "DequantizeLinear"
        packed, scale = (weights[name] for name in unpacked.input[:2])
        assert packed.data_type == onnx.TensorProto.INT8
        assert list(scale.dims) == [packed.dims[0]]  # one for each output channel


def test_ranges_come_from_the_calibration_images(module: GraphModule) -> None:
    content = to_onnx(module)
    images = noise(module, 64, 3)
    narrow = Session(to_int8(content, [images * 0.01], {}))
    wide = Session(to_int8(content, [images], {}))
    with torch.no_grad():
        wanted = LogitsModule(module)(images)
    assert (wide(images) - wanted).norm() < 0.2 * (narrow(images) - wanted).norm()
