"""Costs that follow from the graph alone: parameters and multiply-accumulates.

One definition everywhere: the MACs of a network are those of its convolutions and linear layers,
half of the count of `torch.utils.flop_counter.FlopCounterMode`. The "FLOPs" of papers are these
MACs.
"""

from dataclasses import dataclass

from archwright.graph import Network, Op, Shape, walk_network


@dataclass(frozen=True)
class GraphCost:
    """Number of learned weights, and of multiply-accumulates for one image."""

    params: int
    macs: int


def graph_cost(network: Network, *, live: bool = False) -> GraphCost:
    """Return the cost of all modules except an auxiliary head; in a supernet, of all candidates.

    Published sizes count all edges, also dead ones; with `live`, only modules on a path from the
    image to the logits count.
    """
    params: dict[str, int] = {}
    macs = 0

    def count(module: Op, shape: Shape) -> None:
        nonlocal macs
        macs += module.primitive.macs(shape)
        params[module.slot] = module.primitive.params  # a shared slot counts once

    steps = tuple(step for step in network.steps if step.name != network.auxiliary)
    walk_network(Network(network.image, steps), count, live=live)
    return GraphCost(sum(params.values()), macs)
