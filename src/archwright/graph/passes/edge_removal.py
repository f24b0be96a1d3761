"""Edge removal: delete the edges of a discrete network that are zero."""

from dataclasses import dataclass, replace

from typing_extensions import override

from archwright.graph.expr import is_zero
from archwright.graph.network import Cell, Edge, Network, Step
from archwright.graph.passes.contract import (
    DISCRETE,
    FED_NODES,
    NO_NEW_SLOTS,
    SAME_SHAPES,
    Pass,
    register,
)
from archwright.graph.passes.diagnostics import Diagnostic, Report


@register
@dataclass(frozen=True)
class EdgeRemoval(Pass):
    """Removal of the edges that add zero to their node, which must have other edges."""

    name = "edge removal"
    kind = "exact"
    requires = (DISCRETE, FED_NODES)
    ensures = (DISCRETE, FED_NODES)
    keeps = (SAME_SHAPES, NO_NEW_SLOTS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        def adds(step: Step, edge: Edge) -> bool:
            if not is_zero(edge.body):
                return True
            place = f"{step.name}: edge {edge.source}->{edge.target}"
            report(Diagnostic(self.name, True, place, "left out: it is zero"))
            return False

        def lean(step: Step) -> Step:
            if not isinstance(step.body, Cell):
                return step
            edges = tuple(edge for edge in step.body.edges if adds(step, edge))
            return replace(step, body=replace(step.body, edges=edges))

        return replace(network, steps=tuple(map(lean, network.steps)))
