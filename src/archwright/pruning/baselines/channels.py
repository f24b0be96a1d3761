"""Channel pruning by torch-pruning (Fang et al., DepGraph, CVPR 2023), to a number of MACs.

Channels that depend on each other, through sums, concatenations and depthwise convolutions, are
removed together; a group's importance is the L2 norm of all its weights.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from archwright.backends.optional import optional
from archwright.cost import graph_cost
from archwright.errors import ConfigError, GraphError
from archwright.graph import Network
from archwright.graph.passes.edge_removal import EdgeRemoval
from archwright.graph.passes.resizing import Resizing
from archwright.lowering import GraphModule
from archwright.pruning.baselines.widths import rounded

Ranking = Literal["layer", "network"]
"""Scope in which channels are ranked: a layer (each loses the same fraction), or the network."""

_HALVINGS = 10
_NEAR = 0.995
"""The bisection stops at this fraction of the requested MACs."""


def prune_channels(
    whole: GraphModule, macs: float, *, ranking: Ranking = "layer", round_to: int | None = None
) -> tuple[GraphModule, float]:
    """Return `whole` without its least important channels, and the pruning fraction that was used.

    The fraction is found by bisection: of those tried with no more than `macs`, the one that keeps
    the most MACs. The remaining widths are rounded to multiples of `round_to`, else of a number
    that suits each layer (see `multiple_of`); 1 leaves them as they are. No layer is removed
    completely.

    Raises:
        ConfigError: torch-pruning is not installed, the network has a part that it cannot follow,
            or so few MACs cannot be reached (with the least that can).
    """
    pruner = _pruner(whole, ranking, round_to)
    highest = 1.0
    best = pruner(highest)
    if _macs(best) > macs:
        before = graph_cost(whole.network, live=True).macs
        raise ConfigError(
            f"channel pruning cannot come down to {macs:,.0f} MACs: {_macs(best):,} of "
            f"{before:,} are left when every layer is as narrow as it may be; ask for no less"
        )
    found, low, high = highest, 0.0, highest
    for _ in range(_HALVINGS):
        if _macs(best) >= _NEAR * macs:
            break
        middle = (low + high) / 2
        made = pruner(middle)
        if _macs(made) > macs:
            low = middle
            continue
        high = middle
        if _macs(made) >= _macs(best):
            best, found = made, middle
    return rebuilt(best), found


def _pruner(
    whole: GraphModule, ranking: Ranking, round_to: int | None
) -> Callable[[float], GraphModule]:
    """Return a function that removes a fraction of the channels from a copy of `whole`, and rounds
    the remaining widths.
    """
    pruning = optional("torch_pruning")
    for module in whole.network.modules():
        if not (module.primitive.resizable or module.primitive.zero):
            raise ConfigError(
                f"channel pruning cannot follow {module.primitive.label()}"
                f"{f' ({module.slot})' if module.slot else ''}: leave --methods channels out"
            )
    try:
        network = EdgeRemoval()(whole.network).network
    except GraphError as error:
        raise ConfigError(f"channel pruning: {error}; leave --methods channels out") from None
    weights = whole.state_dict()
    images = torch.zeros(2, *network.image, device=next(whole.parameters()).device)

    def prune(share: float) -> GraphModule:
        module = GraphModule(network).to(images).eval()
        module.load_state_dict(weights)
        with torch.enable_grad():
            graph = pruning.DependencyGraph().build_dependency(
                module, images, output_transform=lambda made: made[0]
            )
        heads: list[Any] = [m for m in module.modules() if isinstance(m, nn.Linear)]
        groups: list[Any] = list(graph.get_all_groups(heads, [nn.Conv2d]))
        importance = pruning.importance.GroupMagnitudeImportance(p=2)
        scores: list[Tensor] = [importance(group).detach().cpu() for group in groups]
        whole_scope = torch.cat(scores)
        for group, own in zip(groups, scores, strict=True):
            weak = _weak(own, whole_scope if ranking == "network" else own, share)
            gone = [_gone(part, own, weak, round_to) for part in _parts(group, len(own))]
            root = group[0].dep
            removed = torch.cat(gone).sort().values.tolist()
            if removed:
                graph.get_pruning_group(root.target.module, root.handler, removed).prune()
        return module

    return prune


def _weak(own: Tensor, scope: Tensor, share: float) -> Tensor:
    """Return a mask of the channels of a layer that belong to the least important `share` of the
    scope.
    """
    count = len(scope) - int(len(scope) * (1 - share))
    return (
        own <= scope.sort().values[count - 1] if count else torch.zeros_like(own, dtype=torch.bool)
    )


def _parts(group: Any, width: int) -> list[Tensor]:
    """Return the channels of a group, split into parts that are computed by the same convolutions.

    Convolutions whose outputs are concatenated are narrower than the tensors that they are added
    to, and each of them must get a width that runs fast.
    """
    makers: list[list[int]] = [[] for _ in range(width)]
    for number, item in enumerate(group):
        for channel in item.root_idxs:
            makers[channel].append(number)
    parts: dict[tuple[int, ...], list[int]] = {}
    for channel, numbers in enumerate(makers):
        parts.setdefault(tuple(numbers), []).append(channel)
    return [torch.tensor(part) for part in parts.values()]


def _gone(part: Tensor, scores: Tensor, weak: Tensor, round_to: int | None) -> Tensor:
    """Return the channels of a part to remove, so that a rounded number remains."""
    left = rounded(int((~weak[part]).sum()), len(part), round_to)
    return part[scores[part].argsort()[: len(part) - left]]


def _macs(module: GraphModule) -> int:
    return graph_cost(_resized(module), live=True).macs


def _resized(module: GraphModule) -> Network:
    """Return the graph of a module whose layers were made narrower."""
    return Resizing(dict(module.slots.items()))(module.network).network


def rebuilt(pruned: GraphModule) -> GraphModule:
    """Return a new module with the weights of `pruned`, whose layers were made narrower."""
    module = GraphModule(_resized(pruned))
    module.load_state_dict(pruned.state_dict())
    return module.to(next(pruned.parameters()))
