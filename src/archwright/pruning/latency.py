"""Latency of a network on this machine: measured after export, or predicted from its parts."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from archwright.backends import Session, to_onnx
from archwright.graph import (
    INPUT,
    Cell,
    Expr,
    Network,
    Op,
    ReLU,
    Shape,
    Step,
    chain,
    name_slots,
    walk_network,
)
from archwright.graph.expr import map_modules
from archwright.graph.traverse import node_shapes
from archwright.lowering import GraphModule

_REPEATS = 40
_MEASURED = 3

Part = tuple[Expr, Shape]
"""Expression without slots, and the shape of its input."""


def measured_latency(network: Network) -> float:
    """Return the median milliseconds for one image in onnxruntime, on one CPU thread of this
    machine.
    """
    session = Session(to_onnx(GraphModule(network)))
    return session.timed(network.image, repeats=_REPEATS).median_ms


def min_latency(measure: Callable[[], float], limit: float) -> float:
    """Return the least of up to three measurements; stop at the first one within the limit.

    Other load on the machine only increases a measurement: no node has to be deleted because of it.
    """
    least = math.inf
    for _ in range(_MEASURED):
        least = min(least, measure())
        if least <= limit:
            break
    return least


@dataclass
class AdditiveLatency:
    """Latency in ms of networks made of the parts of one network and of fusions, as a sum over
    parts.

    Each part is measured once, alone, without the constant time of a call. The sum is scaled so
    that the parts of `whole` take its measured time: the time between parts is distributed over
    them.
    """

    whole: Network
    known: dict[Part, float] = field(default_factory=dict[Part, float])

    def __post_init__(self) -> None:
        self._call = measured_latency(_alone(chain(ReLU()), Shape(1, 1, 1)))
        self.factor = measured_latency(self.whole) / self._added(self.whole)

    def __call__(self, network: Network) -> float:
        """Return the milliseconds for one image."""
        return self.factor * self._added(network)

    def _added(self, network: Network) -> float:
        return self._call + sum(map(self._one, _parts(network)))

    def _one(self, part: Part) -> float:
        if part not in self.known:
            self.known[part] = max(measured_latency(_alone(*part)) - self._call, 1e-6)
        return self.known[part]


def _alone(body: Expr, shape: Shape) -> Network:
    """Return a network of one expression, with a slot for each module."""
    return Network(shape, (Step("part", name_slots(body, "part"), (INPUT,)),))


def _parts(network: Network) -> list[Part]:
    """Return every expression that computes something, with the shape of its input."""
    shapes = walk_network(network)
    parts: list[Part] = []
    for step in network.steps:
        given = [shapes[name] for name in step.inputs]
        if isinstance(step.body, Cell):
            nodes = node_shapes(step.body, given)
            parts += zip(step.body.inputs, given, strict=True)
            parts += [(edge.body, nodes[edge.source]) for edge in step.body.edges]
        elif step.name != network.auxiliary:
            parts.append((step.body, given[0]))
    bare = [(map_modules(body, lambda m, _: Op(m.primitive)), shape) for body, shape in parts]
    return [(body, shape) for body, shape in bare if body != chain()]
