"""Latencies of operations on this machine, measured as they stand in a network.

A runtime fuses what stands next to each other, and a call has costs of its own, so that an
operation by itself would be timed wrongly. It is timed by what more copies of it add to a network,
each with the addition that joins an edge to its node. Then some whole networks are timed, and every
kind of operation is scaled by one factor, so that the parts add up to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from archwright.backends import Timing
from archwright.backends.timing import benchmark_interleaved
from archwright.cost.expected.additive import AdditiveCost, additive
from archwright.cost.expected.decision_table import DecisionTable, EdgeFilter
from archwright.cost.expected.located_ops import LocatedOp, Operation, searchable_and_fixed
from archwright.cost.files import Row
from archwright.cost.latency import OVERHEAD, operations
from archwright.graph import (
    INPUT,
    Architecture,
    Cell,
    Chain,
    Conv,
    Edge,
    Expr,
    GlobalAvgPool,
    Network,
    Op,
    Shape,
    Step,
    chain,
    name_slots,
)
from archwright.graph.expr import is_zero, map_modules, modules
from archwright.profiling.runtimes import Runtime
from archwright.spaces.discretise import random_architecture

_FEW, _MANY = 2, 6
"""Copies of an operation in the two networks whose difference is taken."""
_LEAST_MS = 1e-4
"""What an operation takes at least: a difference of two measurements may come out below."""
_PRIOR = 0.01
"""How much a factor of 1 is believed beside a whole network: errors of 3 % against 30 %."""
_FACTORS = (0.2, 5.0)
"""Between these a factor must lie."""
_FIXED = "fixed"
"""The kind of all operations that are no candidates."""


Timer = Callable[[Sequence[Callable[[], object]]], Sequence[Timing]]
"""Times calls in turns, so that what slows the machine down slows all of them."""


@dataclass(frozen=True)
class Measured:
    """An operation: what it takes in a network, by copies alone, and the factor between the two."""

    operation: Operation
    latency_ms: float
    spread_ms: float
    repeats: int
    alone_ms: float
    factor: float


@dataclass(frozen=True)
class Profile:
    """Operations of a layout, the overhead first, and whole networks that they were fitted to."""

    layout: DecisionTable
    counted: EdgeFilter
    measured: tuple[Measured, ...]
    networks: int
    median_error: float
    """Of the networks that were fitted to, relative: the half of them is nearer."""

    def rows(self, runtime: str, device: str, threads: int) -> list[Row]:
        """The table that `read_latency` reads."""
        where = {"runtime": runtime, "device": device, "threads": threads, "counted": self.counted}
        return [
            {
                "operation": one.operation.name,
                "input": one.operation.input,
                "output": one.operation.output,
                "latency_ms": one.latency_ms,
                "spread_ms": one.spread_ms,
                "repeats": one.repeats,
                "alone_ms": one.alone_ms,
                "factor": one.factor,
                **where,
            }
            for one in self.measured
        ]


def profile(
    layout: DecisionTable,
    runtime: Runtime,
    *,
    networks: int = 16,
    counted: EdgeFilter = "used",
    timer: Timer = benchmark_interleaved,
) -> Profile:
    """Measure every operation of a layout, and `networks` whole ones (one at least).

    `counted` are the edges that the runtime runs: an exported network has none that lead nowhere,
    but those that get nothing but zeros.
    """
    parts = operations(layout)
    drawn = _drawn(layout, networks)
    whole = [layout.space.discrete(one, layout.size) for one in drawn]
    copies = [repeated(place, number) for place in parts.values() for number in (_FEW, _MANY)]
    bare = sorted({place.shape for place in parts.values() if not _has_weights(place.body)})
    prefixes = [_beside([_prefix(shape)] * n, shape) for shape in bare for n in (_FEW, _MANY)]
    all_networks = [_nothing(layout), *copies, *prefixes, *whole]
    timings = list(timer([runtime(network) for network in all_networks]))
    overhead, *rest = timings
    slopes = [_slope(few, many) for few, many in zip(rest[::2], rest[1::2], strict=False)]
    prefix = dict(zip(bare, slopes[len(parts) :], strict=False))
    alone: dict[Operation, Timing] = {OVERHEAD: overhead}
    for (operation, place), slope in zip(parts.items(), slopes, strict=False):
        before = 0.0 if _has_weights(place.body) or _keeps(place) else prefix[place.shape].median_ms
        alone[operation] = replace(slope, median_ms=max(slope.median_ms - before, _LEAST_MS))
    wanted = np.array([timing.median_ms for timing in timings[len(timings) - networks :]])
    return _fitted(layout, drawn, alone, wanted, counted=counted)


def _drawn(layout: DecisionTable, networks: int) -> list[Architecture]:
    generator = np.random.default_rng(0)
    return [random_architecture(layout.space, layout.size, generator) for _ in range(networks)]


def _slope(few: Timing, many: Timing) -> Timing:
    """What one more copy takes."""
    more = _MANY - _FEW
    spread = float(np.hypot(few.spread_ms, many.spread_ms)) / more
    repeats = min(few.repeats, many.repeats)
    return Timing((many.median_ms - few.median_ms) / more, spread, repeats)


def _nothing(layout: DecisionTable) -> Network:
    """A network that does next to nothing."""
    return Network(layout.size.image, (Step("only", chain(GlobalAvgPool()), (INPUT,)),))


def repeated(place: LocatedOp, number: int) -> Network:
    """A network of so many copies of an operation, each joined by an addition.

    Where the shape stays, they are in series, each with a way around it; else side by side. Copies
    without weights on the same input would be run as one: each gets a conv of its own before it.
    """
    if _keeps(place):
        steps: list[Step] = []
        for at in range(number):
            body = name_slots(_unnamed(place.body), f"copy{at}")
            around = Cell("copy", (Chain(),), 1, (Edge(0, 1, Chain()), Edge(0, 1, body)), (1,))
            steps.append(Step(f"copy{at}", around, (steps[-1].name if steps else INPUT,)))
        steps.append(Step("end", chain(GlobalAvgPool()), (steps[-1].name,)))
        return Network(place.shape, tuple(steps))
    bodies = [place.body] * number
    if not _has_weights(place.body):
        bodies = [chain(_prefix(place.shape), place.body)] * number
    return _beside(bodies, place.shape)


def _keeps(place: LocatedOp) -> bool:
    """Whether its shape stays, so that copies can stand in series."""
    return place.made == place.shape


def _has_weights(body: Expr) -> bool:
    return any(module.primitive.stateful for module in modules(body))


def _prefix(shape: Shape) -> Expr:
    """The least that makes copies of an input differ."""
    return chain(Conv(shape.channels, shape.channels, 1, groups=shape.channels))


def _unnamed(body: Expr) -> Expr:
    """An expression whose slots may be named anew."""
    return map_modules(body, lambda module, _: Op(module.primitive))


def _beside(bodies: Sequence[Expr], shape: Shape) -> Network:
    edges = (Edge(0, 1, name_slots(_unnamed(body), f"copy{at}")) for at, body in enumerate(bodies))
    cell = Cell("copies", (Chain(),), 1, tuple(edges), (1,))
    return Network(shape, (Step("only", cell, (INPUT,)),))


def _fitted(
    layout: DecisionTable,
    drawn: Sequence[Architecture],
    alone: Mapping[Operation, Timing],
    wanted: NDArray[np.float64],
    *,
    counted: EdgeFilter,
) -> Profile:
    """Scale each kind of operation so that the parts add up to whole networks.

    Least squares of relative errors; a factor is pulled to 1 as far as the networks leave it open.
    """
    candidates = {
        place.operation: place.name for _, place in searchable_and_fixed(layout.network)[0]
    }
    kinds = [OVERHEAD.name, _FIXED, *layout.space.candidates]
    kind = {
        operation: OVERHEAD.name if operation == OVERHEAD else candidates.get(operation, _FIXED)
        for operation in alone
    }
    picked = layout.one_hots(drawn)
    columns = [
        _sums(
            layout, {o: t.median_ms for o, t in alone.items() if kind[o] == name}, counted=counted
        )(picked).numpy()
        for name in kinds
    ]
    parts = np.stack(columns, axis=1) / wanted[:, None]
    prior = np.sqrt(_PRIOR) * np.eye(len(kinds))
    matrix = np.concatenate([parts, prior])
    goal = np.concatenate([np.ones(len(wanted)), prior.sum(axis=1)])
    factors = np.asarray(lsq_linear(matrix, goal, bounds=_FACTORS).x)
    errors = np.abs(parts @ factors - 1)
    by_kind = dict(zip(kinds, factors.tolist(), strict=True))
    measured = tuple(
        Measured(
            operation,
            timing.median_ms * by_kind[kind[operation]],
            timing.spread_ms * by_kind[kind[operation]],
            timing.repeats,
            timing.median_ms,
            by_kind[kind[operation]],
        )
        for operation, timing in alone.items()
    )
    return Profile(
        layout, counted, measured, len(wanted), float(np.median(errors)) if len(errors) else 0.0
    )


def _sums(
    layout: DecisionTable, known: Mapping[Operation, float], *, counted: EdgeFilter
) -> AdditiveCost:
    """What the known operations add up to; all others cost nothing."""

    def cost(place: LocatedOp) -> float:
        return 0.0 if is_zero(place.body) else known.get(place.operation, 0.0)

    return additive(layout, cost, constant=known.get(OVERHEAD, 0.0), counted=counted)
