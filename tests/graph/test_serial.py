"""Networks go to a file and come back equal; a damaged file is one line."""

import copy
import json
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from archwright.errors import ArchwrightError, GraphError, RunError
from archwright.graph import (
    INPUT,
    Cell,
    Conv,
    Edge,
    Network,
    Op,
    Pruning,
    ReLU,
    Shape,
    Step,
    chain,
    choose,
    concat,
)
from archwright.graph.expr import Decision
from archwright.graph.ops import KernelNorm, primitive_types
from archwright.graph.passes.edge_removal import EdgeRemoval
from archwright.graph.passes.partial_channels import ChannelSampling
from archwright.graph.passes.resizing import Resizing
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.rewire import deletable, rewire
from archwright.graph.passes.simplification import Simplification, simplify
from archwright.graph.serial import (
    network_from_json,
    network_from_text,
    network_to_json,
    network_to_text,
)
from archwright.lowering import GraphModule
from archwright.spaces import Size, reference_architecture

from ..engine.mutated import mutations
from ..strategies import (
    ALL_SPACES,
    any_space,
    architectures,
    images,
    mixture_of,
    networks,
    seeded,
    tiny,
)


def small() -> Network:
    """A network of a cell with a choice, and of all else that a file can say."""
    normed = Conv(2, 2, 3, norm=KernelNorm("filter", "norm"))
    options = (chain(Op(normed, "wide")), chain(Op(Conv(2, 2, 1), "point")))
    body = choose(Decision("edge", ("wide", "point")), options)
    cell = Cell("normal", (chain(),), 1, (Edge(0, 1, body),), (0, 1))
    halves = concat(chain(ReLU(), Op(Conv(4, 1, 1), "left")), chain(Op(Conv(4, 2, 1), "right")))
    steps = (Step("cell", cell, (INPUT,)), Step("head", halves, ("cell",)))
    return Network(Shape(2, 4, 4), steps)


def outputs(network: Network) -> list[torch.Tensor]:
    module = seeded(network)
    made = module(images(network), mixture_of(module))
    return [part for part in made if part is not None]


def come_back(network: Network) -> None:
    text = network_to_text(network)
    read = network_from_text(text, "network.json")
    assert read == network
    assert network_to_text(read) == text
    for own, other in zip(outputs(network), outputs(read), strict=True):
        assert torch.equal(own, other)


@st.composite
def of_a_space(draw: DrawFn) -> Network:
    """A network of a space: its supernet, simplified or not, or what is derived from it."""
    space = any_space(draw(st.sampled_from(ALL_SPACES)))
    size = tiny(space.name)
    supernet = space.supernet(size)
    if draw(st.booleans()):
        supernet = simplify(supernet, draw(st.sampled_from((Simplification(), OTHER))))
    kind = draw(st.sampled_from(("supernet", "discrete", "restricted", "pruned")))
    if kind == "supernet":
        return supernet
    architecture = draw(architectures(space))
    network = space.discrete(architecture, size)
    if kind != "discrete":
        network = restrict(supernet, architecture)
    nodes = deletable(network) if kind == "pruned" else ()
    if nodes:
        deleted = draw(st.sets(st.sampled_from(nodes), min_size=1).map(frozenset))
        network = rewire(network, Pruning(deleted=deleted, gated=draw(st.booleans())))
    return network


OTHER = Simplification(pointwise="apart", granularity="kernel", scale="deviation")


@given(network=of_a_space())
@settings(max_examples=25)
def test_networks_of_spaces_come_back_equal(network: Network) -> None:
    come_back(network)


@given(network=networks())
@settings(max_examples=40)
def test_random_networks_come_back_equal(network: Network) -> None:
    come_back(network)


@pytest.mark.parametrize("name", ["nasbench201", "darts"])
def test_sampled_resized_and_auxiliary_networks_come_back_equal(name: str) -> None:
    space = any_space(name)
    size, wide = tiny(name), Size(channels=8, cells=tiny(name).cells, image_size=8)
    come_back(ChannelSampling(2)(space.supernet(size)).network)
    architecture = reference_architecture(space, size)
    narrow = GraphModule(space.discrete(architecture, size))
    whole = space.discrete(architecture, wide)
    lean = EdgeRemoval()(whole).network
    come_back(Resizing(dict(narrow.slots.items()))(lean).network)
    come_back(space.with_auxiliary(whole, wide))


def test_the_text_is_for_people() -> None:
    text = network_to_text(small())
    assert max(map(len, text.splitlines())) <= 100
    assert '{"op": "conv", "slot": "point", "c_in": 2, "c_out": 2, "kernel": 1}' in text
    assert '"norm": {"granularity": "filter", "scale": "norm"}' in text
    assert json.loads(text) == network_to_json(small())


def test_every_primitive_has_fields_that_a_file_can_say() -> None:
    for name, kind in primitive_types().items():
        assert not {field.name for field in fields(kind)} & {"op", "slot"}, name


WHERE = "run/network.json"
BROKEN: list[tuple[str, Any, str]] = [
    ("version", 2, "is of version 2 of the format, and this archwright reads version 1: read it"),
    ("version", True, "is of version True of the format"),
    ("format", "onnx", "holds no network: its format is not 'archwright network'; restore the"),
    ("image", [2, 4], ": image: expected array of length 3, got 2: restore the file"),
    ("image", [2, 4, 0], ": image is .*, and sizes are at least 1"),
    ("output", "cell", ": output is 'cell', and the last step is 'head'"),
    ("auxiliary", "no", ": there is no step 'no' to take auxiliary logits from"),
    ("decisions", {}, r": steps 1 \(cell\): cell: edges 1: body: unknown decision 'edge'"),
    ("decisions", {"edge": ["wide", "wide"]}, "edge has two candidates of one name"),
    ("decisions.other", ["a"], ": decisions are not those of the steps, in their order"),
    ("title", "x", ": unknown field 'title': .*known are auxiliary, decisions, "),
    ("steps.0.name", "a\nb", r": steps 1: name is 'a\\nb', which cannot be printed"),
    ("steps.0.cell.nodes", 1.5, r": steps 1 \(cell\): cell: nodes: expected int, got float: rest"),
    ("steps.0.cell.edges.0.to", 7, ": cell: edge 0->7 does not lead forward"),
    ("steps.0.body", [], r": steps 1 \(cell\) needs either a body or a cell"),
    ("steps.1.body", {}, ": body is no expression: it is neither a list nor an op, concat or"),
    ("steps.1.body.concat.0.0.op", "RelU", r"body 1 1: unknown primitive 'RelU': did you mean 're"),
    ("steps.1.body.concat.0.0.op", "Primitive", "unknown primitive 'Primitive'"),
    ("steps.1.body.concat.0.1.kernel", -1, r"body 1 2 \(conv\): no convolution of 4 -> 1"),
    ("steps.1.body.concat.0.1.kernel", "3", r"body 1 2 \(conv\): kernel: expected int, got str"),
    ("steps.1.body.concat.0.1.kernel", 10**9, "has 4000000000000000000 weights, which is too many"),
    ("steps.1.body.concat.0.1.kernal", 3, r"\(conv\): unknown field 'kernal': did you mean 'kern"),
    ("steps.1.body.concat.0.1.slot", "wide", "slot wide is claimed by both"),
]


def broken(path: str, value: Any) -> dict[str, Any]:
    content: Any = copy.deepcopy(network_to_json(small()))
    *holders, last = path.split(".")
    holder = content
    for name in holders:
        holder = holder[int(name)] if name.isdigit() else holder[name]
    holder[last] = value
    return content


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_what_is_wrong_is_said_with_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises((RunError, GraphError), match=message) as raised:
        network_from_json(broken(path, value), WHERE)
    assert str(raised.value).startswith(WHERE)
    assert "\n" not in str(raised.value)


def test_a_choice_says_names_of_its_decision() -> None:
    place = "steps.0.cell.edges.0.body"
    with pytest.raises(RunError, match="options 1: of: unknown candidate 'wid': did you mean 'wi"):
        network_from_json(broken(f"{place}.options.0.of", ["wid"]), WHERE)
    with pytest.raises(RunError, match="body: form: invalid enum value 'product': restore"):
        network_from_json(broken(f"{place}.form", "product"), WHERE)
    with pytest.raises(GraphError, match="edge: options overlap or are empty"):
        network_from_json(broken(f"{place}.options.0.of", ["point"]), WHERE)
    with pytest.raises(GraphError, match="edge: options are outside of the given candidates"):
        network_from_json(broken(f"{place}.given", ["wide"]), WHERE)


def test_what_is_no_json_or_too_deep() -> None:
    for text in (b"\xff", "{", "[" * 100_000):
        with pytest.raises(RunError, match="is damaged: it is no JSON; restore the file"):
            network_from_text(text, WHERE)
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(RunError, match=r"steps 2 \(head\): expressions are nested too deeply"):
        network_from_json(broken("steps.1.body", deep), WHERE)
    with pytest.raises(RunError, match="holds no network"):
        network_from_json([], WHERE)


def test_what_cannot_be_said_is_refused() -> None:
    class Own(ReLU):
        """A primitive that is not registered."""

    network = Network(Shape(1, 1, 1), (Step("own", Op(Own()), (INPUT,)),))
    with pytest.raises(GraphError, match="Own is no primitive that a network file can name"):
        network_to_json(network)
    twins = choose(Decision("edge", ("a", "a")), (chain(), chain()))
    with pytest.raises(GraphError, match="edge has two candidates of one name: rename one"):
        network_to_json(Network(Shape(1, 1, 1), (Step("twins", twins, (INPUT,)),)))


def test_every_damaged_value_is_one_line() -> None:
    network = small()
    for text, what in mutations(network_to_text(network)):
        try:
            read = network_from_text(text, WHERE)
        except ArchwrightError as error:
            refused = str(error).encode().decode()
        else:
            refused = WHERE
            with torch.device("meta"):
                GraphModule(read)  # what is read can be built
        assert refused.startswith(WHERE), what
        assert "\n" not in refused, what
