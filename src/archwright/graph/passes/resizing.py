"""Resizing: the graph of a network whose modules were made narrower, from the modules.

Channel pruners change modules in place. With their widths written back into the graph, a pruned
network is verified, costed exactly and exported without tracing, like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn
from typing_extensions import override

from archwright.graph import Cell, Expr, Network, Op
from archwright.graph.expr import map_modules
from archwright.graph.passes.contract import Pass, register
from archwright.graph.passes.diagnostics import Diagnostic, Report


@register
@dataclass(frozen=True)
class Resizing(Pass):
    """Replacement of the network's widths by those of `modules`, which are given by slot.

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
            made = module.primitive.resized(self.modules[module.slot].state_dict())
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
