"""How well something that answers with logits tells images apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from archwright import data
from archwright.engine.device import to_device
from archwright.engine.evaluate import evaluate, scoring_batches
from archwright.engine.meter import Meter
from archwright.lowering import GraphModule

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True)
class Score:
    """Percent of images told right, at the first and among the first five guesses; mean loss.

    The loss is None where it is not a finite number.
    """

    top1: float
    top5: float
    loss: float | None
    images: int


def score_network(fabric: "Fabric", network: GraphModule, images: data.ImageData) -> Score:
    """The score of a network on the test images, exactly as its training takes it."""
    to_device(network, fabric.device)
    return _score(evaluate(fabric, network, scoring_batches(fabric, images).epoch(0)))


@torch.no_grad()
def score_exported(
    fabric: "Fabric", exported: Callable[[Tensor], Tensor], images: data.ImageData
) -> Score:
    """The score of an exported network on the test images."""
    meter = Meter(fabric)
    for batch, labels in scoring_batches(fabric, images).epoch(0):
        logits = exported(batch).to(labels.device)
        meter.add(functional.cross_entropy(logits, labels), logits, labels)
    return _score(meter)


def _score(meter: Meter) -> Score:
    assert meter.top1 is not None, "a data set has test images"
    assert meter.top5 is not None, "and both are counted together"
    top1, top5 = round(meter.top1, 4), round(meter.top5, 4)
    return Score(top1=top1, top5=top5, loss=meter.loss, images=int(meter.sums[3]))
