"""Conversion of the graph of a network to an ONNX model.

Nothing is traced: every primitive adds its own nodes, and nodes that the logits do not depend on
are left out. So a deep network takes a second, and dead edges do not enlarge the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archwright.backends.optional import optional
from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    Cell,
    Chain,
    Choice,
    Concat,
    Expr,
    Linear,
    Op,
    Shape,
    verify_discrete,
    walk_network,
)
from archwright.graph.expr import out_shape
from archwright.graph.traverse import node_shapes
from archwright.lowering import GraphModule

OPSET, IR_VERSION = 17, 8
"""Versions that are old enough for the runtimes in use."""

IMAGES, LOGITS = "images", "logits"


def to_onnx(module: GraphModule, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the content of the ONNX file of a network in evaluation mode, without auxiliary head.

    Its input is `images` float32 [B, C, H, W] of any batch size, its output `logits` [B, classes].

    Raises:
        GraphError: a decision is open, or a primitive has no ONNX form.
        ConfigError: onnx is not installed.
    """
    verify_discrete(module.network)
    onnx = optional("onnx")
    builder = _OnnxBuilder(onnx)
    logits = builder.network(module)
    made = walk_network(module.network)[module.network.output]
    *_, last = module.network.modules()
    out = made[:1] if isinstance(last.primitive, Linear) else made
    number, helper = onnx.TensorProto.FLOAT, onnx.helper
    nodes, constants = builder.reached(logits)
    nodes.append(helper.make_node("Identity", [logits], [LOGITS]))
    graph = helper.make_graph(
        nodes,
        "archwright",
        [helper.make_tensor_value_info(IMAGES, number, ["batch", *module.network.image])],
        [helper.make_tensor_value_info(LOGITS, number, ["batch", *out])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model.SerializeToString()


class _OnnxBuilder:
    """Builder of the graph; see `graph.onnx_form.OnnxGraph`."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._nodes: dict[str, Any] = {}
        self._constants: dict[str, Any] = {}
        self._batch = ""

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes[name] = self._onnx.helper.make_node(
            kind, list(inputs), [name], name=name, **attributes
        )
        return name

    def constant(self, value: Tensor | Sequence[int] | float) -> str:
        name = f"constant_{len(self._constants)}"
        array = torch.as_tensor(value).detach().cpu().contiguous().numpy()
        self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def batch(self) -> str:
        self._batch = self._batch or self.node("Shape", [IMAGES], start=0, end=1)
        return self._batch

    def reached(self, logits: str) -> tuple[list[Any], list[Any]]:
        """Return the nodes and constants that `logits` depends on, in order."""
        wanted = {logits}
        for name, node in reversed(self._nodes.items()):
            if name in wanted:
                wanted.update(node.input)
        return (
            [node for name, node in self._nodes.items() if name in wanted],
            [value for name, value in self._constants.items() if name in wanted],
        )

    def network(self, module: GraphModule) -> str:
        """Add every step except an auxiliary head; return the name of the logits."""
        network = module.network
        shapes, made = walk_network(network), {INPUT: IMAGES}
        for step in network.steps:
            if step.name == network.auxiliary:
                continue
            given = [(made[name], shapes[name]) for name in step.inputs]
            if isinstance(step.body, Cell):
                made[step.name] = self._cell(module, step.body, given)
            else:
                made[step.name] = self._expr(module, step.body, *given[0])
        return made[network.output]

    def _cell(self, module: GraphModule, cell: Cell, given: list[tuple[str, Shape]]) -> str:
        shapes = node_shapes(cell, [shape for _, shape in given])
        nodes = [
            self._expr(module, body, *features)
            for body, features in zip(cell.inputs, given, strict=True)
        ]
        for node in cell.inner():
            edges = cell.into(node)
            # a sum needs no zeros, unless there is no other summand
            kept = [edge for edge in edges if not _ends_in_zeros(edge.body)] or edges[:1]
            ends = [
                self._expr(module, edge.body, nodes[edge.source], shapes[edge.source])
                for edge in kept
            ]
            total, *rest = ends
            for end in rest:
                total = self.node("Add", [total, end])
            nodes.append(total)
        outputs = [nodes[node] for node in cell.output]
        return outputs[0] if len(outputs) == 1 else self.node("Concat", outputs, axis=1)

    def _expr(self, module: GraphModule, expr: Expr, x: str, shape: Shape) -> str:
        match expr:
            case Op(primitive):
                state = module.slots[expr.slot].state_dict() if expr.slot else {}
                return primitive.to_onnx(self, x, shape, state)
            case Chain(items):
                for item in items:
                    x, shape = self._expr(module, item, x, shape), out_shape(item, shape)
                return x
            case Concat(branches):
                parts = [self._expr(module, branch, x, shape) for branch in branches]
                return self.node("Concat", parts, axis=1)
            case Choice():
                raise GraphError(f"{expr.decision.name} is undecided: derive the network first")


def _ends_in_zeros(expr: Expr) -> bool:
    """Return whether the last primitive returns zeros; a primitive after zeros may not."""
    match expr:
        case Op(primitive):
            return primitive.zero
        case Chain(items):
            return bool(items) and _ends_in_zeros(items[-1])
        case _:
            return False
