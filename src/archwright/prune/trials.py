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
    """For each of `nodes` but the `deleted`, the mean loss without it and them, less that of all.

    `without` makes the network that some nodes are deleted from, what stands in for them fitted.
    """
    held = list(batches)
    whole = _loss(without(frozenset()), held)
    left = [node for node in nodes if node not in deleted]
    return {node: _loss(without(deleted | {node}), held) - whole for node in left}


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
