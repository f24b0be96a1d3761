"""Resizing: the graph of a network whose modules were made narrower, read off the modules.

Channel pruners change modules in place. Written back into the graph, the widths make a pruned
network one like any other: verified, its cost exact, and exported without being traced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import cast

from torch import nn
from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph import BatchNorm, Cell, Conv, Expr, Linear, Network, Op, Primitive
from archwright.graph.expr import map_modules
from archwright.graph.ops import Pool
from archwright.graph.passes.contract import Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report


@register
@dataclass(frozen=True)
class Resizing(Pass):
    """The widths of `modules`, which are given by slot, for those of the network.

    Raises:
        GraphError: a module has another width than its primitive can have.
    """

    modules: Mapping[str, nn.Module]

    name = "resizing"
    kind = "structural"

    @override
    def apply(self, network: Network, report: Report) -> Network:
        def fitted(module: Op, _: str) -> Op:
            if not module.slot:
                return module
            made = resize(module.primitive, self.modules[module.slot])
            if made != module.primitive:
                report(Diagnostic(self.name, True, module.slot, f"is {made}"))
            return replace(module, primitive=made)

        def body(body: Expr | Cell) -> Expr | Cell:
            if not isinstance(body, Cell):
                return map_modules(body, fitted)
            inputs = tuple(map_modules(given, fitted) for given in body.inputs)
            edges = (replace(edge, body=map_modules(edge.body, fitted)) for edge in body.edges)
            return replace(body, inputs=inputs, edges=tuple(edges))

        return replace(network, steps=tuple(replace(s, body=body(s.body)) for s in network.steps))


@singledispatch
def resize(primitive: Primitive, module: nn.Module) -> Primitive:
    """`primitive` as it would have to be to build a module of the size of `module`.

    Raises:
        GraphError: its size is not known to change.
    """
    raise GraphError(f"{primitive.label()} cannot be made narrower: prune nodes or operations")


@resize.register
def _(primitive: Conv, module: nn.Module) -> Primitive:
    conv = cast(nn.Conv2d, module)
    return replace(primitive, c_in=conv.in_channels, c_out=conv.out_channels, groups=conv.groups)


@resize.register
def _(primitive: BatchNorm, module: nn.Module) -> Primitive:
    return replace(primitive, channels=cast(nn.BatchNorm2d, module).num_features)


@resize.register
def _(primitive: Linear, module: nn.Module) -> Primitive:
    linear = cast(nn.Linear, module)
    return replace(primitive, c_in=linear.in_features, c_out=linear.out_features)


@resize.register
def _(primitive: Pool, module: nn.Module) -> Primitive:
    return replace(
        primitive, norm=cast(nn.BatchNorm2d, cast(nn.Sequential, module)[1]).num_features
    )
