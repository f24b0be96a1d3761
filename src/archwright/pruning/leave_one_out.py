"""Leave-one-out importance: the rise of the loss without a part, after the rest is fitted again.

Nodes and operations use the same procedure, so that their losses can be compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch

from archwright.engine.scoring.evaluate import LabelledBatches
from archwright.lowering import GraphModule
from archwright.tasks import Task

ROUNDS = 3
"""Number of times that parts are scored, after equal fractions of the way to the targets."""

_T = TypeVar("_T")


def leave_one_out(
    task: Task,
    without: Callable[[frozenset[_T]], GraphModule],
    parts: Sequence[_T],
    removed: frozenset[_T],
    batches: LabelledBatches,
) -> dict[_T, float]:
    """Return the rise of the mean loss for each of `parts` that is left out in addition to
    `removed`.

    Parts that are already removed get no value. `without` returns the network without some parts,
    with fitted replacements.
    """
    held = list(batches)
    now = _mean_loss(task, without(removed), held)
    left = [part for part in parts if part not in removed]
    return {part: _mean_loss(task, without(removed | {part}), held) - now for part in left}


def in_rounds(
    scores: Callable[[frozenset[_T]], Mapping[_T, float]],
    select: Callable[[Mapping[_T, float], frozenset[_T], float], Iterable[_T]],
) -> tuple[dict[_T, float], frozenset[_T]]:
    """Return the importance of every part, and the parts that were removed before the last
    selection.

    After each fraction of the way, the remaining parts are scored again: the importance of a part
    depends on which others are already removed. `select` takes the importance, the removed parts,
    and the fraction of the way to go, from 0 to 1.
    """
    removed = frozenset[_T]()
    importance = dict(scores(removed))
    for number in range(1, ROUNDS):
        removed = frozenset(select(importance, removed, number / ROUNDS))
        importance |= scores(removed)
    return importance, removed


@torch.no_grad()
def _mean_loss(task: Task, network: GraphModule, batches: LabelledBatches) -> float:
    """Return the mean loss over all images, in evaluation mode."""
    network.eval()
    total, count = 0.0, 0
    for images, targets in batches:
        outputs, _ = network(images)
        total += task.loss_sum(outputs, targets).item()
        count += len(images)
    return total / count
