"""Resizing: the graph of a network whose modules were made narrower, read off the modules.

Channel pruners change modules in place. Written back into the graph, the widths make a pruned
network one like any other: verified, its cost exact, and exported without being traced.
"""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from archwright.errors import GraphError
from archwright.graph import Cell, Expr, Network, Op, Step
from archwright.graph.expr import is_zero, map_modules


def resized(network: Network, modules: Mapping[str, nn.Module]) -> Network:
    """Return `network` at the widths of `modules`, which are given by slot.

    Raises:
        GraphError: a primitive cannot be made narrower.
    """

    def fitted(module: Op, _: str) -> Op:
        if not module.slot:
            return module
        state = modules[module.slot].state_dict()
        return replace(module, primitive=module.primitive.resized(state))

    def body(body: Expr | Cell) -> Expr | Cell:
        if not isinstance(body, Cell):
            return map_modules(body, fitted)
        inputs = tuple(map_modules(given, fitted) for given in body.inputs)
        edges = (replace(edge, body=map_modules(edge.body, fitted)) for edge in body.edges)
        return replace(body, inputs=inputs, edges=tuple(edges))

    return replace(network, steps=tuple(replace(s, body=body(s.body)) for s in network.steps))


def without_zeros(network: Network) -> Network:
    """Return `network` without the edges that add nothing to their node.

    Raises:
        GraphError: a node has no other edges, so that its width is open.
    """

    def step(step: Step) -> Step:
        cell = step.body
        if not isinstance(cell, Cell):
            return step
        edges = tuple(edge for edge in cell.edges if not is_zero(edge.body))
        for node in cell.inner():
            if not any(edge.target == node for edge in edges):
                raise GraphError(
                    f"nothing leads into node {node} of {step.name}: its width is open"
                )
        return replace(step, body=replace(cell, edges=edges))

    return replace(network, steps=tuple(map(step, network.steps)))
