"""How long a network takes on this machine: its parts, each measured once, added up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor

from archwright.ir import INPUT, Cell, Expr, Module, Network, Shape, Step, walk_network
from archwright.ir.expr import map_modules
from archwright.ir.walk import node_shapes
from archwright.lower import NaiveNetwork

_TIMES = 15
_BEFORE = 3
"""Runs that are not timed, before those that are."""

Part = tuple[Expr, Shape]
"""What is computed, its slots left out, and the shape that it is computed on."""


def measure(network: Network) -> float:
    """Median milliseconds of the network on one image, on the CPU, in evaluation mode."""
    module = NaiveNetwork(network).eval()
    image = torch.zeros(1, *network.image)
    return _milliseconds(lambda: module(image))


@dataclass
class AddedLatency:
    """The milliseconds of networks made of the parts of one network, and of fusions.

    Parts take together what `whole` takes, so that what lies between them is shared out.
    """

    whole: Network
    known: dict[Part, float] = field(default_factory=dict[Part, float])

    def __post_init__(self) -> None:
        self.factor = measure(self.whole) / self._added(self.whole)

    def __call__(self, network: Network) -> float:
        """Milliseconds for one image."""
        return self.factor * self._added(network)

    def _added(self, network: Network) -> float:
        return sum(map(self._one, _parts(network)))

    def _one(self, part: Part) -> float:
        if part not in self.known:
            body, shape = part
            step = Step("part", map_modules(body, lambda m, at: Module(m.primitive, at)), (INPUT,))
            self.known[part] = measure(Network(shape, (step,)))
        return self.known[part]


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
    return [(map_modules(body, lambda m, _: Module(m.primitive)), shape) for body, shape in parts]


@torch.no_grad()
def _milliseconds(run: Callable[[], tuple[Tensor, Tensor | None]]) -> float:
    taken: list[float] = []
    for _ in range(_BEFORE + _TIMES):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return 1e3 * median(taken[_BEFORE:])
