"""ONNX files compute the same as torch: every primitive, every space, networks of searches."""

from pathlib import Path
from typing import Literal

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.backends import LogitsModule, Session, max_error, to_onnx
from archwright.errors import ConfigError, GraphError, RunError
from archwright.graph import (
    INPUT,
    Cell,
    Chain,
    Conv,
    Edge,
    GlobalAvgPool,
    Linear,
    Network,
    Op,
    Primitive,
    ReLU,
    Shape,
    Step,
    Zero,
    chain,
    name_slots,
)
from archwright.graph.ops import AvgPool, KernelNorm, MaxPool
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.lowering import GraphModule
from archwright.spaces import Size, get_space, read_architecture
from archwright.tasks import Classification

from ..strategies import ALL_SPACES, any_space, architectures, primitives, seeded, shapes, tiny


def trained(network: Network, seed: int = 0) -> GraphModule:
    """The network in float32 with random weights and statistics, in evaluation mode."""
    return seeded(network, seed).float().eval()


def of(*parts: Primitive | Op, shape: Shape) -> Network:
    body = name_slots(chain(*parts), "only")
    return Network(shape, (Step("only", body, (INPUT,)),))


def agree(module: GraphModule) -> None:
    content = to_onnx(module)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    max_error(LogitsModule(module), Session(content), module.network.image)


@settings(max_examples=150)
@given(st.data())
def test_every_primitive(data: st.DataObject) -> None:
    shape = data.draw(shapes())
    primitive = data.draw(primitives(shape))
    try:
        primitive.out_shape(shape)
    except GraphError:
        return
    agree(trained(of(primitive, shape=shape)))


@pytest.mark.parametrize("pool", [MaxPool, AvgPool])
@pytest.mark.parametrize("side", [7, 8])
def test_windows_that_reach_past_the_border(pool: type[MaxPool], side: int) -> None:
    for kernel in range(1, 6):
        for step in range(1, 4):
            for norm in (0, 2):
                agree(trained(of(pool(kernel, step, norm), shape=Shape(2, side, 9))))


@pytest.mark.parametrize("granularity", ["kernel", "filter"])
@pytest.mark.parametrize("scale", ["deviation", "norm"])
def test_normalised_kernels(
    granularity: Literal["kernel", "filter"], scale: Literal["deviation", "norm"]
) -> None:
    norm = KernelNorm(granularity, scale)
    agree(trained(of(Conv(2, 4, 3, norm=norm), ReLU(), shape=Shape(2, 6, 6))))


@pytest.mark.parametrize("name", ALL_SPACES)
@settings(max_examples=5)
@given(data=st.data())
def test_every_space(name: str, data: st.DataObject) -> None:
    space, size = any_space(name), tiny(name)
    agree(trained(space.discrete(data.draw(architectures(space)), size)))


@pytest.mark.parametrize("name", ["nasbench201", "darts", "spos"])
@settings(max_examples=3)
@given(data=st.data())
def test_networks_of_searches(name: str, data: st.DataObject) -> None:
    space = any_space(name)
    supernet = simplify(space.supernet(tiny(name)), simplification("all"))
    agree(trained(restrict(supernet, data.draw(architectures(space)))))


@pytest.mark.parametrize("per", ["channel", "scalar"])
@pytest.mark.parametrize("fusion", ["sum", "linear", "se", "linear+se"])
def test_pruned_networks(fusion: str, per: str) -> None:
    # deleted nodes one after the other, one in a reduction, and all nodes of a cell
    nodes = "cell0:2 cell1:3,4 cell2:2,3,4,5"
    text = f"darts-v2 without {nodes} fusion={fusion} per={per} floor=2 gated=yes"
    architecture = read_architecture(text)
    agree(trained(get_space("darts").discrete(architecture, Size(channels=4, cells=3))))


def test_an_auxiliary_head_is_left_behind() -> None:
    space, size = get_space("darts"), Size(channels=4, cells=3)
    network = space.discrete(read_architecture("darts-v2"), size)
    with_head = Classification().with_auxiliary(network, "cell1", 10)
    agree(trained(with_head))
    assert len(to_onnx(trained(with_head))) == len(to_onnx(trained(network)))


def two_edges(first: Primitive, second: Primitive) -> Network:
    """A node with two edges, and one that nothing reads."""
    edges = (
        Edge(0, 1, chain(first)),
        Edge(0, 1, chain(second)),
        Edge(0, 2, name_slots(chain(Conv(2, 2, 3)), "dead")),
    )
    head = name_slots(chain(GlobalAvgPool(), Linear(2, 3)), "head")
    cell = Step("cell", Cell("kind", (Chain(),), 2, edges, (1,)), (INPUT,))
    return Network(Shape(2, 4, 4), (cell, Step("head", head, ("cell",))))


@pytest.mark.parametrize("first", [ReLU(), Zero(2)])
@pytest.mark.parametrize("second", [ReLU(), Zero(2)])
def test_dead_edges_are_not_in_the_file(first: Primitive, second: Primitive) -> None:
    module = trained(two_edges(first, second))
    agree(module)
    kinds = [node.op_type for node in onnx.load_from_string(to_onnx(module)).graph.node]
    assert "Conv" not in kinds
    assert kinds.count("Relu") == [first, second].count(ReLU())
    assert ("ConstantOfShape" in kinds) == (first == second == Zero(2))


def test_the_batch_is_free_and_texts_are_kept() -> None:
    session = Session(to_onnx(trained(two_edges(ReLU(), ReLU())), {"classes": "[1]"}))
    assert [session(torch.zeros(b, 2, 4, 4)).shape for b in (1, 5)] == [(1, 3), (5, 3)]
    assert session.metadata == {"classes": "[1]"}


def test_an_open_decision_is_refused() -> None:
    supernet = GraphModule(get_space("nasbench201").supernet(tiny("nasbench201")))
    with pytest.raises(GraphError, match="cell/0->1 is undecided: derive the network first"):
        to_onnx(supernet)


def test_another_function_is_noticed() -> None:
    module = trained(two_edges(ReLU(), ReLU()))
    content = to_onnx(module)
    with torch.no_grad():
        module.get_parameter("slots.head/1.bias").add_(0.1)
    with pytest.raises(RunError, match=r"differ from those of torch by \d\.\de-0[123]"):
        max_error(LogitsModule(module), Session(content), module.network.image)


def test_a_file_that_is_not_a_model_is_refused(tmp_path) -> None:
    with pytest.raises(RunError, match="onnxruntime cannot read the model"):
        Session(b"nothing")
    with pytest.raises(RunError, match=r"onnxruntime cannot read .*gone\.onnx"):
        Session(tmp_path / "gone.onnx")


@pytest.mark.parametrize("inside", ["graph", "attribute"])
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin"])
def test_weights_in_another_file_are_refused(tmp_path: Path, inside: str, location: str) -> None:
    (tmp_path / "model").mkdir()
    for folder in (tmp_path, tmp_path / "model"):
        (folder / "weights.bin").write_bytes(bytes(16))
    weights = onnx.TensorProto(name="secret", data_type=onnx.TensorProto.FLOAT, dims=[4])
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    constant = onnx.helper.make_node("Constant", [], ["secret"], value=weights)
    add = onnx.helper.make_node("Add", ["x", "secret"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in "xy"]
    graph = onnx.helper.make_graph(
        [constant, add] if inside == "attribute" else [add],
        "g",
        values[:1],
        values[1:],
        [weights] if inside == "graph" else [],
    )
    file = tmp_path / "model" / "model.onnx"
    file.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(
        RunError, match=r"model\.onnx is refused: its weights 'secret' are in another"
    ):
        Session(file)


@pytest.mark.parametrize(
    ("device", "provider"),
    [
        ("cpu", ("CPUExecutionProvider", {})),
        ("cuda", ("CUDAExecutionProvider", {})),
        ("cuda:1", ("CUDAExecutionProvider", {"device_id": "1"})),
    ],
)
def test_a_session_runs_on_the_device_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, device: str, provider: tuple[str, dict[str, str]]
) -> None:
    asked: list[object] = []

    class Noted:
        def __init__(self, content: object, options: object, providers: list[object]) -> None:
            asked.extend(providers)

        def get_inputs(self) -> list[object]:
            return []

    present = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: present)
    monkeypatch.setattr("onnxruntime.InferenceSession", Noted)
    Session(b"", device=device)
    assert asked == [provider]
    with pytest.raises(ConfigError, match="onnxruntime has no device 'mps:0' here: give --device"):
        Session(b"", device="mps:0")
