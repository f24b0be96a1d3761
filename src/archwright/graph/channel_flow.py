"""Channels through a network: which may differ from zero, and which the logits depend on.

Both are known of the graph alone: masks set channels to zero, and what a mask drops is not needed
before it. Channels are numbered as in the network as it is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

from archwright.errors import GraphError
from archwright.graph.expr import Chain, Choice, Concat, Expr, Op, is_zero, out_shape
from archwright.graph.network import INPUT, Cell, Network
from archwright.graph.primitive import Channels, Shape, every_channel
from archwright.graph.traverse import node_shapes, walk_network


@dataclass(frozen=True)
class Flow:
    """Shape of some features, and the channels of them that must be computed."""

    shape: Shape
    channels: Channels


@dataclass(frozen=True)
class ChannelFlow:
    """Features of a network: by the name of the step, and by the step and node of a cell."""

    steps: Mapping[str, Flow]
    nodes: Mapping[tuple[str, int], Flow]


def channel_flow(network: Network) -> ChannelFlow:
    """Return the channels that must be computed: those needed that are not known to be zero.

    Raises:
        GraphError: a decision is open.
    """
    shapes = walk_network(network)
    inner = {
        (step.name, node): shape
        for step in network.steps
        if isinstance(step.body, Cell)
        for node, shape in enumerate(node_shapes(step.body, [shapes[n] for n in step.inputs]))
    }
    steps, nodes = _forward(network, shapes, inner)
    wanted_steps, wanted_nodes = _backward(network, shapes, inner)
    return ChannelFlow(
        {n: Flow(shape, _common(steps[n], wanted_steps[n])) for n, shape in shapes.items()},
        {n: Flow(shape, _common(nodes[n], wanted_nodes[n])) for n, shape in inner.items()},
    )


def chain_shapes(items: tuple[Expr, ...], shape: Shape) -> list[Shape]:
    """Return the shape before each item, and that behind the last."""
    return list(accumulate(items, lambda at, item: out_shape(item, at), initial=shape))


def branch_offsets(branches: tuple[Expr, ...], shape: Shape) -> list[int]:
    """Return the number of the first channel of each branch, and that of all channels."""
    return list(accumulate((out_shape(b, shape).channels for b in branches), initial=0))


def part(channels: Channels, start: int, stop: int) -> Channels:
    """Return those of `channels` from `start` up to `stop`, counted from `start`."""
    return tuple(channel - start for channel in channels if start <= channel < stop)


def needed(expr: Expr, wanted: Channels, shape: Shape) -> Channels:
    """Return the channels of an input of `shape` that the `wanted` ones made depend on.

    Raises:
        GraphError: a decision is open.
    """
    match expr:
        case Op(primitive):
            return primitive.channels_needed(wanted, shape)
        case Chain(items):
            before = chain_shapes(items, shape)[:-1]
            for item, at in zip(reversed(items), reversed(before), strict=True):
                wanted = needed(item, wanted, at)
            return wanted
        case Concat(branches):
            bounds = branch_offsets(branches, shape)
            parts = (part(wanted, *ends) for ends in pairwise(bounds))
            pairs = zip(branches, parts, strict=True)
            return _union(needed(branch, mine, shape) for branch, mine in pairs if mine)
        case Choice():
            raise _undecided(expr)


def nonzero(expr: Expr, read: Channels, shape: Shape) -> Channels:
    """Return the channels made that may differ from zero where only those read do."""
    match expr:
        case Op(primitive):
            return primitive.channels_made(read, every_channel(primitive.out_shape(shape)), shape)
        case Chain(items):
            for item, at in zip(items, chain_shapes(items, shape), strict=False):
                read = nonzero(item, read, at)
            return read
        case Concat(branches):
            bounds = branch_offsets(branches, shape)
            made = (nonzero(branch, read, shape) for branch in branches)
            pairs = zip(bounds, made, strict=False)
            return tuple(start + channel for start, mine in pairs for channel in mine)
        case Choice():
            raise _undecided(expr)


Node = tuple[str, int]


def _forward(
    network: Network, shapes: Mapping[str, Shape], inner: Mapping[Node, Shape]
) -> tuple[dict[str, Channels], dict[Node, Channels]]:
    """Return the channels that may differ from zero, of steps and nodes."""
    steps = {INPUT: every_channel(network.image)}
    nodes: dict[Node, Channels] = {}
    for step in network.steps:
        name, cell = step.name, step.body
        if not isinstance(cell, Cell):
            steps[name] = nonzero(cell, steps[step.inputs[0]], shapes[step.inputs[0]])
            continue
        for position, (expr, source) in enumerate(zip(cell.inputs, step.inputs, strict=True)):
            nodes[name, position] = nonzero(expr, steps[source], shapes[source])
        for node in cell.inner():
            edges = [edge for edge in cell.into(node) if not is_zero(edge.body)]
            found = (nonzero(e.body, nodes[name, e.source], inner[name, e.source]) for e in edges)
            nodes[name, node] = _union(found) if edges else every_channel(inner[name, node])
        places = [(name, node) for node in cell.output]
        bounds = accumulate((inner[place].channels for place in places), initial=0)
        steps[name] = tuple(
            start + channel
            for start, place in zip(bounds, places, strict=False)
            for channel in nodes[place]
        )
    return steps, nodes


def _backward(
    network: Network, shapes: Mapping[str, Shape], inner: Mapping[Node, Shape]
) -> tuple[dict[str, Channels], dict[Node, Channels]]:
    """Return the channels that are needed of steps and nodes: all where nobody needs any."""
    wanted: dict[str, list[Channels]] = {name: [] for name in shapes}
    nodes: dict[Node, list[Channels]] = {place: [] for place in inner}
    for step in reversed(network.steps):
        name, cell = step.name, step.body
        mine = _union(wanted[name]) or every_channel(shapes[name])
        wanted[name] = [mine]
        if not isinstance(cell, Cell):
            (source,) = step.inputs
            wanted[source].append(needed(cell, mine, shapes[source]))
            continue
        start = 0
        for node in cell.output:
            stop = start + inner[name, node].channels
            nodes[name, node].append(part(mine, start, stop))
            start = stop
        for node in reversed(range(len(cell.inputs) + cell.nodes)):
            found = _union(nodes[name, node]) or every_channel(inner[name, node])
            nodes[name, node] = [found]
            for edge in cell.into(node):
                source = name, edge.source
                nodes[source].append(needed(edge.body, found, inner[source]))
        for position, (expr, source) in enumerate(zip(cell.inputs, step.inputs, strict=True)):
            (found,) = nodes[name, position]
            wanted[source].append(needed(expr, found, shapes[source]))
    return (
        {name: _union(found) or every_channel(shapes[name]) for name, found in wanted.items()},
        {place: _union(found) for place, found in nodes.items()},
    )


def _union(parts: Iterable[Channels]) -> Channels:
    return tuple(sorted({channel for channels in parts for channel in channels}))


def _common(one: Channels, other: Channels) -> Channels:
    return tuple(sorted({*one} & {*other}))


def _undecided(choice: Choice) -> GraphError:
    return GraphError(f"{choice.decision.name} is undecided: derive the network first")
