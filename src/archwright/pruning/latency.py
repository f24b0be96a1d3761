"""How long a network takes on this machine, measured through export; or predicted from parts."""

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
"""What is computed, its slots left out, and the shape that it is computed on."""


def measured_latency(network: Network) -> float:
    """Median milliseconds for one image in onnxruntime, on one thread of this machine's CPU."""
    session = Session(to_onnx(GraphModule(network)))
    return session.timed(network.image, repeats=_REPEATS).median_ms


def quietest(measure: Callable[[], float], limit: float) -> float:
    """The least of up to three measurements, the first that is within the limit being enough.

    What else the machine does only ever adds to a time: no node has to go for that.
    """
    least = math.inf
    for _ in range(_MEASURED):
        least = min(least, measure())
        if least <= limit:
            break
    return least


@dataclass
class AdditiveLatency:
    """The milliseconds of networks made of the parts of one network, and of fusions.

    Each part is measured once, by itself, and what a call takes anyway is left out. Parts take
    together what `whole` takes, so that what lies between them is shared out.
    """

    whole: Network
    known: dict[Part, float] = field(default_factory=dict[Part, float])

    def __post_init__(self) -> None:
        self._call = measured_latency(_alone(chain(ReLU()), Shape(1, 1, 1)))
        self.factor = measured_latency(self.whole) / self._added(self.whole)

    def __call__(self, network: Network) -> float:
        """Milliseconds for one image."""
        return self.factor * self._added(network)

    def _added(self, network: Network) -> float:
        return self._call + sum(map(self._one, _parts(network)))

    def _one(self, part: Part) -> float:
        if part not in self.known:
            self.known[part] = max(measured_latency(_alone(*part)) - self._call, 1e-6)
        return self.known[part]


def _alone(body: Expr, shape: Shape) -> Network:
    """A network of one expression, a slot for each of its modules."""
    return Network(shape, (Step("part", name_slots(body, "part"), (INPUT,)),))


def _parts(network: Network) -> list[Part]:
    """Every expression that computes something, with the shape of its input."""
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
