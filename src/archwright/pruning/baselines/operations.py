"""Operation-level pruning: remove the least important edges of cells, without a replacement.

An edge's importance is the rise of the loss without it (leave-one-out, as for nodes); or the change
of the loss to first order, computed at a gate of value one on the edge (Molchanov et al., CVPR
2019).
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch

from archwright.cost import graph_cost
from archwright.engine.scoring.evaluate import LabelledBatches
from archwright.errors import ConfigError
from archwright.graph import Cell, Edge, Network, Op, Step, Zero, chain, walk_network
from archwright.graph.expr import is_zero
from archwright.graph.ops import Scale
from archwright.graph.passes.rewire import deletable
from archwright.graph.traverse import connected, node_shapes
from archwright.lowering import GraphModule
from archwright.pruning.gates import Gates, taylor_scores
from archwright.pruning.leave_one_out import in_rounds, leave_one_out
from archwright.pruning.reconstruction import reset_bn_statistics
from archwright.tasks import Task

EdgeScore = Literal["loss", "taylor"]
EdgeKey = tuple[str, int]
"""An edge of a cell: the cell's step, and the edge's position in the cell."""


def prune_edges(
    task: Task,
    whole: GraphModule,
    macs: float,
    batches: LabelledBatches,
    *,
    score: EdgeScore = "loss",
) -> tuple[GraphModule, frozenset[EdgeKey]]:
    """Return `whole` without its least important edges, with at most `macs`; and the removed edges.

    With the score `loss`, each edge is left out, the batch norms take the statistics of the images,
    and the loss on them is measured; in rounds, as for nodes.

    Raises:
        ConfigError: so few cannot be reached (with the least that can).
    """
    network = whole.network
    if score == "taylor":
        importance, gone = taylor_edge_scores(task, whole, batches), frozenset[EdgeKey]()
    else:
        before = graph_cost(network, live=True).macs

        def nearer(
            importance: Mapping[EdgeKey, float], gone: frozenset[EdgeKey], part: float
        ) -> frozenset[EdgeKey]:
            relaxed = max(macs, before + part * (macs - before))
            return select_edges(network, importance, relaxed, gone)

        importance, gone = in_rounds(lambda gone: loss_scores(task, whole, gone, batches), nearer)
    removed = select_edges(network, importance, macs, gone)
    return _left(whole, removed), removed


def loss_scores(
    task: Task, whole: GraphModule, removed: frozenset[EdgeKey], batches: LabelledBatches
) -> dict[EdgeKey, float]:
    """Return the rise of the loss for each removable edge that is left out in addition to
    `removed`.
    """
    keys, held = removable(whole.network), list(batches)
    count = len(keys) - len(removed)
    print(f"trying {count} operations, {len(removed)} are gone", file=sys.stderr, flush=True)
    x = torch.cat([images for images, _ in held])

    def without(gone: frozenset[EdgeKey]) -> GraphModule:
        network = _left(whole, gone)
        reset_bn_statistics(network, x)
        return network

    return leave_one_out(task, without, keys, removed, held)


def taylor_edge_scores(
    task: Task, whole: GraphModule, batches: LabelledBatches
) -> dict[EdgeKey, float]:
    """Return the change of the loss without each removable edge, to first order."""
    keys = removable(whole.network)
    gated = GraphModule(_edited(whole.network, frozenset(keys), _gated))
    gated.load_state_dict({**gated.state_dict(), **whole.state_dict()})
    gated.to(next(whole.parameters()))
    gates: Gates = {key: gated.get_parameter(f"slots.{_slot(*key)}.weight") for key in keys}
    return taylor_scores(task, gated, gates, batches)


def removable(network: Network) -> list[EdgeKey]:
    """Return the edges into the nodes of searched cells, except edges that compute zero."""
    cells = {step for step, _ in deletable(network)}
    return [
        (step.name, position)
        for step in network.steps
        if isinstance(step.body, Cell) and step.name in cells
        for position, edge in enumerate(step.body.edges)
        if not is_zero(edge.body)
    ]


def without_edges(network: Network, removed: frozenset[EdgeKey]) -> Network:
    """Return `network` without these edges; a node without any edge outputs zeros."""

    def zero(edge: Edge, slot: str, channels: int, stride: int) -> Edge:
        return replace(edge, body=chain(Zero(channels, stride)))

    return _edited(network, removed, zero)


def select_edges(
    network: Network,
    importance: Mapping[EdgeKey, float],
    macs: float,
    gone: frozenset[EdgeKey] = frozenset(),
) -> frozenset[EdgeKey]:
    """Return the edges to remove, including those in `gone`, so that at most `macs` are left.

    Edges are removed from the least important one on, except those that save nothing. A node keeps
    an edge as long as other edges can be removed, and a path from the image to the logits is kept.
    Then edges are restored, the most important first, as far as `macs` allows; edges in `gone`
    count as the least important.

    Raises:
        ConfigError: so few cannot be reached (with the least that can).
    """

    def left(removed: frozenset[EdgeKey]) -> int:
        return graph_cost(without_edges(network, removed), live=True).macs

    order = sorted(importance, key=lambda edge: (edge not in gone, importance[edge]))
    removed = gone
    for may_empty in (False, True):
        removed = _remove(network, order, removed, left, macs, may_empty=may_empty)
    if left(removed) > macs:
        raise ConfigError(
            f"operation pruning cannot come down to {macs:,.0f} MACs: {left(removed):,} of "
            f"{left(frozenset()):,} are left without any edge that saves some; ask for no less"
        )
    for edge in reversed(order):
        if edge in removed and left(removed - {edge}) <= macs:
            removed -= {edge}
    return removed


def describe(network: Network, removed: frozenset[EdgeKey]) -> str:
    """Return the removed edges by cell, as text: `cell0:0->2,1->3`."""
    words: list[str] = []
    for step in network.steps:
        if isinstance(step.body, Cell):
            gone = (e for at, e in enumerate(step.body.edges) if (step.name, at) in removed)
            if edges := ",".join(f"{edge.source}->{edge.target}" for edge in gone):
                words.append(f"{step.name}:{edges}")
    return " ".join(words)


def _left(whole: GraphModule, removed: frozenset[EdgeKey]) -> GraphModule:
    """Return the network without these edges, in evaluation mode, with the weights of `whole`."""
    network, state = GraphModule(without_edges(whole.network, removed)), whole.state_dict()
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return network.to(next(whole.parameters())).eval()


def _remove(
    network: Network,
    order: Sequence[EdgeKey],
    removed: frozenset[EdgeKey],
    left: Callable[[frozenset[EdgeKey]], int],
    macs: float,
    *,
    may_empty: bool,
) -> frozenset[EdgeKey]:
    now = left(removed)
    for edge in order:
        if now <= macs:
            break
        if edge in removed or not (may_empty or _has_others(network, edge, removed)):
            continue
        less = left(removed | {edge})
        if less < now and connected(without_edges(network, removed | {edge})):
            removed, now = removed | {edge}, less
    return removed


def _has_others(network: Network, key: EdgeKey, removed: frozenset[EdgeKey]) -> bool:
    """Return whether the edge's node has another edge that is not zero."""
    step, position = key
    (cell,) = (s.body for s in network.steps if s.name == step)
    assert isinstance(cell, Cell), "edges are those of cells"
    target = cell.edges[position].target
    return any(
        edge.target == target and not is_zero(edge.body)
        for at, edge in enumerate(cell.edges)
        if at != position and (step, at) not in removed
    )


def _slot(step: str, position: int) -> str:
    return f"{step}/edge{position}"


def _gated(edge: Edge, slot: str, channels: int, stride: int) -> Edge:
    return replace(edge, body=chain(edge.body, Op(Scale(channels, shared=True), slot)))


def _edited(
    network: Network, keys: frozenset[EdgeKey], edit: Callable[[Edge, str, int, int], Edge]
) -> Network:
    """Return `network` with these edges edited; `edit` takes edge, slot, width and stride."""
    shapes = walk_network(network)

    def step(step: Step) -> Step:
        cell = step.body
        if not isinstance(cell, Cell):
            return step
        nodes = node_shapes(cell, [shapes[name] for name in step.inputs])
        edges = list(cell.edges)
        for at, edge in enumerate(edges):
            if (step.name, at) in keys:
                given, made = nodes[edge.source], nodes[edge.target]
                stride = -(-given.height // made.height)
                edges[at] = edit(edge, _slot(step.name, at), made.channels, stride)
        return replace(step, body=replace(cell, edges=tuple(edges)))

    return replace(network, steps=tuple(map(step, network.steps)))
