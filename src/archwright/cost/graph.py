"""Costs that can be read off a graph: parameters and multiply-accumulates.

One definition everywhere: a network's MACs are those of its convolutions and linear layers, half
of what `torch.utils.flop_counter.FlopCounterMode` counts. The papers' "FLOPs" are these MACs.
"""

from dataclasses import dataclass

from archwright.graph import Network, Op, Shape, walk_network


@dataclass(frozen=True)
class GraphCost:
    """Learned weights, and multiply-accumulates on one image."""

    params: int
    macs: int


def graph_cost(network: Network, *, live: bool = False) -> GraphCost:
    """The cost of every module outside of an auxiliary head; of a supernet, all candidates'.

    Published sizes count all edges, also those that reach nothing; with `live`, only modules on a
    way from the image to the logits count.
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
