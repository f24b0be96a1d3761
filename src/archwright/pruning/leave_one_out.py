"""What may go ranked by trying: the loss without each, when what is left has made up for it.

Nodes and operations are ranked alike, so that what they lose can be compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch.nn import functional

from archwright.engine.evaluate import LabelledBatches
from archwright.lowering import GraphModule

ROUNDS = 3
"""Times that all is tried, each when as much of the way to the targets is done."""

_T = TypeVar("_T")


def leave_one_out(
    without: Callable[[frozenset[_T]], GraphModule],
    parts: Sequence[_T],
    removed: frozenset[_T],
    batches: LabelledBatches,
) -> dict[_T, float]:
    """What the mean loss rises by when each of `parts` follows the `removed`, which are left out.

    `without` makes the network that some parts are removed from, what stands in for them fitted.
    """
    held = list(batches)
    now = _loss(without(removed), held)
    left = [part for part in parts if part not in removed]
    return {part: _loss(without(removed | {part}), held) - now for part in left}


def in_rounds(
    scores: Callable[[frozenset[_T]], Mapping[_T, float]],
    choose: Callable[[Mapping[_T, float], frozenset[_T], float], Iterable[_T]],
) -> tuple[dict[_T, float], frozenset[_T]]:
    """The importance of every part, and those that are removed before the last choice is made.

    What is left is tried again when a part of the way is done: some were spared only by others that
    are gone. `choose` takes the importance, what is removed, and how much of the way to go.
    """
    removed = frozenset[_T]()
    importance = dict(scores(removed))
    for number in range(1, ROUNDS):
        removed = frozenset(choose(importance, removed, number / ROUNDS))
        importance |= scores(removed)
    return importance, removed


@torch.no_grad()
def _loss(network: GraphModule, batches: LabelledBatches) -> float:
    """Mean cross-entropy over all images, in evaluation mode."""
    network.eval()
    total, count = 0.0, 0
    for images, labels in batches:
        logits, _ = network(images)
        total += functional.cross_entropy(logits.float(), labels, reduction="sum").item()
        count += len(labels)
    return total / count
