"""Channel pruning by torch-pruning (Fang et al., DepGraph, CVPR 2023), to a number of MACs.

Channels that depend on each other, through sums, concatenations and depthwise convolutions, go
together; a group's importance is the L2 norm of all its weights.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

from archwright.cost import graph_cost
from archwright.errors import ConfigError, GraphError
from archwright.export.optional import optional
from archwright.ir import BatchNorm, Conv, GlobalAvgPool, Linear, ReLU, Subsample
from archwright.ir.ops import Pool
from archwright.lower import NaiveNetwork
from archwright.prune.baselines.resize import rebuilt, resized, without_zeros

Ranking = Literal["layer", "network"]
"""Where channels compete: in their layer, each of which loses the same share, or all of them."""

_FOLLOWED = (Conv, BatchNorm, Linear, ReLU, Pool, GlobalAvgPool, Subsample)
_HALVINGS = 10
_NEAR = 0.995
"""No finer than this is looked for, in units of the MACs that are asked for."""
_LITTLE = 1e-6
"""What is taken off a share so that rounding never removes a layer's last channel."""


def prune_channels(
    whole: NaiveNetwork, macs: float, *, ranking: Ranking = "layer"
) -> tuple[NaiveNetwork, float]:
    """`whole` with its least important channels removed, and the share that was asked for.

    The share is found by bisection: the one that leaves most without being above `macs`.

    Raises:
        ConfigError: torch-pruning is not installed, the network has a part that it cannot follow,
            or so few MACs cannot be reached (with the least that can).
    """
    pruner = _pruner(whole, ranking)
    # a share that takes the narrowest layer whole would be passed over there
    highest = 1 - 1 / _narrowest(whole) - _LITTLE
    best = pruner(highest)
    if _macs(best) > macs:
        before = graph_cost(whole.network, live=True).macs
        raise ConfigError(
            f"channel pruning cannot come down to {macs:,.0f} MACs: {_macs(best):,} of "
            f"{before:,} are left when the narrowest layer has one channel; ask for no less"
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


def _pruner(whole: NaiveNetwork, ranking: Ranking) -> Callable[[float], NaiveNetwork]:
    """What removes a share of the channels from a copy of `whole`."""
    pruning = optional("torch_pruning")
    for module in whole.network.modules():
        normed = isinstance(module.primitive, Conv) and module.primitive.norm is not None
        if normed or not (isinstance(module.primitive, _FOLLOWED) or module.primitive.zero):
            raise ConfigError(
                f"channel pruning cannot follow {module.primitive.label()}"
                f"{f' ({module.slot})' if module.slot else ''}: leave --methods channels out"
            )
    try:
        network = without_zeros(whole.network)
    except GraphError as error:
        raise ConfigError(f"channel pruning: {error}; leave --methods channels out") from None
    weights = whole.state_dict()
    images = torch.zeros(2, *network.image, device=next(whole.parameters()).device)

    def prune(share: float) -> NaiveNetwork:
        module = NaiveNetwork(network).to(images).eval()
        module.load_state_dict(weights)
        heads: list[Any] = [m for m in module.modules() if isinstance(m, nn.Linear)]
        pruner = pruning.pruner.BasePruner(
            module,
            images,
            importance=pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=share,
            global_pruning=ranking == "network",
            ignored_layers=heads,
            output_transform=lambda made: made[0],
        )
        with torch.enable_grad():
            pruner.step()
        return module

    return prune


def _narrowest(whole: NaiveNetwork) -> int:
    convs = (m.primitive for m in whole.network.modules() if isinstance(m.primitive, Conv))
    return min(conv.c_out for conv in convs)


def _macs(module: NaiveNetwork) -> int:
    return graph_cost(resized(module.network, dict(module.slots.items())), live=True).macs
