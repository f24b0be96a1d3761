"""Reconstruction: fit the replacements of deleted nodes to the outputs of these nodes.

Legend: B batch, C channels, H height, W width, K predecessors of a deleted node.
"""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.graph import Chain, Edge, Network, Node, Op, Pruning
from archwright.graph.expr import Expr
from archwright.graph.passes.rewire import gate_slot, parse_weight_slot, rewire
from archwright.lowering import GraphModule

_IMAGES = 32
"""Number of images that are converted to float64 at a time."""


def pruned_network(whole: Network, pruning: Pruning, gated: GraphModule) -> GraphModule:
    """Return the network of `whole` after `pruning`, the remaining parts with the weights of
    `gated`.

    `gated` is the network `whole` with gates on all nodes. The replacement of a deleted node is
    new: the plain sum, recalibrated by a factor of exactly one.
    """
    pruned = _like(GraphModule(rewire(whole, pruning)), gated)
    own, given = pruned.state_dict(), gated.state_dict()
    pruned.load_state_dict({name: given.get(name, value) for name, value in own.items()})
    return pruned


@torch.no_grad()
def reconstruct(
    pruned: GraphModule,
    gated: GraphModule,
    deleted: frozenset[Node],
    x: Tensor,
    *,
    recalibrated: bool = True,
) -> None:
    """Fit the replacements of deleted nodes on the images x [B, C, H, W].

    Each linear fusion is fitted by least squares to the gated output of its node in the original
    network; its inputs come from the pruned network with all earlier fusions fitted, so that later
    fusions compensate for the errors of earlier ones. The plain sum is one of the possible
    solutions: on these images and at this place it is never better.

    With `recalibrated`, batch norms take the statistics of these images in the same pass, each
    before the fusions behind it are fitted: the statistics of the whole network no longer hold.
    """
    targets = _outputs(gated, deleted, x) if pruned_linearly(pruned) else {}
    fitting = _like(_Fitting(pruned.network, targets), pruned)
    fitting.load_state_dict(pruned.state_dict())
    fitting.eval()
    if recalibrated:
        reset_bn_statistics(fitting, x)
    else:
        fitting(x)
    pruned.load_state_dict(fitting.state_dict())


@torch.no_grad()
def reset_bn_statistics(network: GraphModule, x: Tensor) -> None:
    """Set every batch norm to the statistics of the images x [B, C, H, W], other modules in their
    present mode.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    modes = [(norm.momentum, norm.training) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches, of which there is one
        norm.train()
    network(x)
    for norm, (momentum, training) in zip(norms, modes, strict=True):
        norm.momentum = momentum
        norm.train(training)


def pruned_linearly(pruned: GraphModule) -> bool:
    """Return whether a linear fusion with learned weights replaces a deleted node."""
    return any(parse_weight_slot(module.slot) is not None for module in pruned.network.modules())


def least_squares(given: Tensor, target: Tensor, *, shared: bool) -> Tensor:
    """Return the weights a [K, C] that minimise |sum_k a_k given_k - target|^2 for each channel.

    Args:
        given: summands [K, B, C, H, W].
        target: desired sum [B, C, H, W].
        shared: one weight for all channels instead: a [K, 1].

    Computed in float64; of several solutions, the one with the smallest norm is returned.
    """
    channels, count = given.shape[2], given.shape[0]
    gram = torch.zeros(channels, count, count, dtype=torch.float64, device=given.device)
    moment = gram.new_zeros(channels, count, 1)
    for part, wanted in zip(given.split(_IMAGES, 1), target.split(_IMAGES), strict=True):
        x = part.permute(2, 0, 1, 3, 4).reshape(channels, count, -1).double()
        gram += x @ x.mT
        moment += x @ wanted.transpose(0, 1).reshape(channels, -1, 1).double()
    if shared:
        gram, moment = gram.sum(0, keepdim=True), moment.sum(0, keepdim=True)
    best = torch.linalg.pinv(gram, hermitian=True) @ moment
    plain = torch.ones_like(best)

    def error(a: Tensor) -> Tensor:
        return (a.mT @ gram @ a - 2 * a.mT @ moment).squeeze(-1)

    # where the predecessors nearly cancel, rounding may leave the solution behind the plain sum
    chosen = torch.where(error(best) <= error(plain), best.squeeze(-1), plain.squeeze(-1))
    return chosen.T


class _Fitting(GraphModule):
    """Network that sets the weights of each fusion when it is computed, in one forward pass."""

    def __init__(self, network: Network, targets: dict[Node, Tensor]) -> None:
        super().__init__(network)
        self._targets = targets

    @override
    def _sum(self, edges: list[Edge], nodes: list[Tensor], weights: Any) -> Tensor:
        scales = [_scale(edge.body) for edge in edges]
        node = parse_weight_slot(scales[0].slot) if scales[0] is not None else None
        if node is not None:
            parts = [self._eval(_before(e.body), nodes[e.source], weights) for e in edges]
            slots = [scale.slot for scale in scales if scale is not None]
            learned = [self.get_parameter(f"slots.{slot}.weight") for slot in slots]
            shared = len(learned[0]) == 1
            found = least_squares(torch.stack(parts), self._targets[node], shared=shared)
            for parameter, weight in zip(learned, found, strict=True):
                parameter.copy_(weight[:, None, None])
        return super()._sum(edges, nodes, weights)


def _scale(body: Expr) -> Op | None:
    """Return the last module of an edge, if it has one."""
    match body:
        case Chain(items=(*_, Op() as last)):
            return last
        case _:
            return None


def _before(body: Expr) -> Expr:
    """Return an edge without its last module."""
    return Chain(body.items[:-1]) if isinstance(body, Chain) else body


def _outputs(gated: GraphModule, nodes: frozenset[Node], x: Tensor) -> dict[Node, Tensor]:
    """Return the outputs of these nodes' gates for x, in evaluation mode."""
    made: dict[Node, Tensor] = {}
    training = gated.training
    gated.eval()
    handles = [
        gated.slots[gate_slot(*node)].register_forward_hook(_keep(made, node)) for node in nodes
    ]
    gated(x)
    for handle in handles:
        handle.remove()
    gated.train(training)
    return made


def _keep(made: dict[Node, Tensor], node: Node) -> Any:
    def hook(module: nn.Module, given: Any, output: Tensor) -> None:
        made[node] = output

    return hook


def _like(network: GraphModule, other: GraphModule) -> GraphModule:
    """Return `network` with the type and on the device of `other`."""
    return network.to(next(other.parameters()))
