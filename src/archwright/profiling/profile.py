"""Profile of a space: latencies of its operations on this machine, measured inside networks.

A runtime fuses neighbouring operations, and each call has an overhead, so the latency of an
isolated operation would be wrong. Instead, the latency is the difference between networks with more
and fewer copies of the operation, each with the addition that joins an edge to its node. Then some
whole networks are measured, and each kind of operation is scaled by one factor, so that the sums
agree with these networks.
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
"""Numbers of copies of an operation in the two networks that are compared."""
_LEAST_MS = 1e-4
"""Least latency of an operation: the difference of two measurements may be smaller."""
_PRIOR = 0.01
"""Weight of the prior that a factor is 1, relative to a network: errors of 3 % against 30 %."""
_FACTORS = (0.2, 5.0)
"""Bounds of a factor."""
_FIXED = "fixed"
"""Kind of all operations that are not candidates."""


Timer = Callable[[Sequence[Callable[[], object]]], Sequence[Timing]]
"""Function that measures calls interleaved, so that other load slows all of them alike."""


@dataclass(frozen=True)
class MeasuredOperation:
    """Latency of an operation: in a network, by copies alone, and the factor between the two."""

    operation: Operation
    latency_ms: float
    spread_ms: float
    repeats: int
    alone_ms: float
    factor: float


@dataclass(frozen=True)
class Profile:
    """Latencies of the operations of a space, the overhead first, fitted to whole networks."""

    layout: DecisionTable
    counted: EdgeFilter
    measured: tuple[MeasuredOperation, ...]
    networks: int
    median_error: float
    """Median of the relative errors on the networks of the fit."""

    def rows(self, runtime: str, device: str, threads: int) -> list[Row]:
        """Return the rows of the table that `read_latency` reads."""
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
    """Measure every operation of a space, and `networks` whole networks (at least one).

    `counted` are the edges that the runtime runs: an exported network has no edges without a path
    to the output, but it has edges whose input is zeros.
    """
    parts = operations(layout)
    drawn = _sample_architectures(layout, networks)
    whole = [layout.space.discrete(one, layout.size) for one in drawn]
    copies = [
        repeat_operation(place, number) for place in parts.values() for number in (_FEW, _MANY)
    ]
    bare = sorted({place.shape for place in parts.values() if not _has_weights(place.body)})
    prefixes = [_parallel([_prefix(shape)] * n, shape) for shape in bare for n in (_FEW, _MANY)]
    all_networks = [_minimal_network(layout), *copies, *prefixes, *whole]
    timings = list(timer([runtime(network) for network in all_networks]))
    overhead, *rest = timings
    slopes = [_slope(few, many) for few, many in zip(rest[::2], rest[1::2], strict=False)]
    prefix = dict(zip(bare, slopes[len(parts) :], strict=False))
    alone: dict[Operation, Timing] = {OVERHEAD: overhead}
    for (operation, place), slope in zip(parts.items(), slopes, strict=False):
        before = (
            0.0
            if _has_weights(place.body) or _keeps_shape(place)
            else prefix[place.shape].median_ms
        )
        alone[operation] = replace(slope, median_ms=max(slope.median_ms - before, _LEAST_MS))
    wanted = np.array([timing.median_ms for timing in timings[len(timings) - networks :]])
    return _fit_factors(layout, drawn, alone, wanted, counted=counted)


def _sample_architectures(layout: DecisionTable, networks: int) -> list[Architecture]:
    generator = np.random.default_rng(0)
    return [random_architecture(layout.space, layout.size, generator) for _ in range(networks)]


def _slope(few: Timing, many: Timing) -> Timing:
    """Return the latency of one more copy."""
    more = _MANY - _FEW
    spread = float(np.hypot(few.spread_ms, many.spread_ms)) / more
    repeats = min(few.repeats, many.repeats)
    return Timing((many.median_ms - few.median_ms) / more, spread, repeats)


def _minimal_network(layout: DecisionTable) -> Network:
    """Return a network of one cheap operation, whose latency is the overhead of a call."""
    return Network(layout.size.image, (Step("only", chain(GlobalAvgPool()), (INPUT,)),))


def repeat_operation(place: LocatedOp, number: int) -> Network:
    """Return a network with `number` copies of an operation, each with an addition.

    If input and output shape are equal, the copies are in series, each with a residual connection;
    otherwise they are parallel. Parallel copies without weights would run only once, so each gets
    its own convolution before it.
    """
    if _keeps_shape(place):
        steps: list[Step] = []
        for at in range(number):
            body = name_slots(_without_slots(place.body), f"copy{at}")
            around = Cell("copy", (Chain(),), 1, (Edge(0, 1, Chain()), Edge(0, 1, body)), (1,))
            steps.append(Step(f"copy{at}", around, (steps[-1].name if steps else INPUT,)))
        steps.append(Step("end", chain(GlobalAvgPool()), (steps[-1].name,)))
        return Network(place.shape, tuple(steps))
    bodies = [place.body] * number
    if not _has_weights(place.body):
        bodies = [chain(_prefix(place.shape), place.body)] * number
    return _parallel(bodies, place.shape)


def _keeps_shape(place: LocatedOp) -> bool:
    """Return whether input and output shape are equal, so that copies can be in series."""
    return place.made == place.shape


def _has_weights(body: Expr) -> bool:
    return any(module.primitive.stateful for module in modules(body))


def _prefix(shape: Shape) -> Expr:
    """Return a cheap convolution that makes the inputs of the copies differ."""
    return chain(Conv(shape.channels, shape.channels, 1, groups=shape.channels))


def _without_slots(body: Expr) -> Expr:
    """Return the expression without names of slots."""
    return map_modules(body, lambda module, _: Op(module.primitive))


def _parallel(bodies: Sequence[Expr], shape: Shape) -> Network:
    edges = (
        Edge(0, 1, name_slots(_without_slots(body), f"copy{at}")) for at, body in enumerate(bodies)
    )
    cell = Cell("copies", (Chain(),), 1, tuple(edges), (1,))
    return Network(shape, (Step("only", cell, (INPUT,)),))


def _fit_factors(
    layout: DecisionTable,
    drawn: Sequence[Architecture],
    alone: Mapping[Operation, Timing],
    wanted: NDArray[np.float64],
    *,
    counted: EdgeFilter,
) -> Profile:
    """Scale each kind of operation so that the sums agree with whole networks.

    Least squares of relative errors, with a prior that factors are 1.
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
        _sum_known(
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
        MeasuredOperation(
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


def _sum_known(
    layout: DecisionTable, known: Mapping[Operation, float], *, counted: EdgeFilter
) -> AdditiveCost:
    """Return the additive cost of the known operations; all others cost nothing."""

    def cost(place: LocatedOp) -> float:
        return 0.0 if is_zero(place.body) else known.get(place.operation, 0.0)

    return additive(layout, cost, constant=known.get(OVERHEAD, 0.0), counted=counted)
