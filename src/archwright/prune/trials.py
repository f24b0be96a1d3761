"""Nodes ranked by trying: the loss without each, when what is left has made up for it."""

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from archwright.ir import Node
from archwright.lower import NaiveNetwork
from archwright.train.evaluate import Labelled


def loss_scores(
    without: Callable[[frozenset[Node]], NaiveNetwork],
    nodes: Sequence[Node],
    deleted: frozenset[Node],
    batches: Labelled,
) -> dict[Node, float]:
    """What the mean loss rises by when each of `nodes` follows the `deleted`, which are left out.

    `without` makes the network that some nodes are deleted from, what stands in for them fitted.
    """
    held = list(batches)
    now = _loss(without(deleted), held)
    left = [node for node in nodes if node not in deleted]
    return {node: _loss(without(deleted | {node}), held) - now for node in left}


@torch.no_grad()
def _loss(network: NaiveNetwork, batches: Labelled) -> float:
    """Mean cross-entropy over all images, in evaluation mode."""
    network.eval()
    total, count = 0.0, 0
    for images, labels in batches:
        logits, _ = network(images)
        total += functional.cross_entropy(logits.float(), labels, reduction="sum").item()
        count += len(labels)
    return total / count
