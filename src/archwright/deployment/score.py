"""Score of a network, or of an exported file, on the test images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright import data
from archwright.engine.device import to_device
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.engine.scoring.meter import Meter
from archwright.lowering import GraphModule
from archwright.tasks import Outputs, move

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True)
class Score:
    """Metrics of a task on test images, and the mean loss.

    Attributes:
        metrics: every metric by key; networks are ranked by the first one.
        loss: mean loss; None if it is not a finite number.
        images: number of images.
    """

    metrics: Mapping[str, float]
    loss: float | None
    images: int

    @property
    def headline(self) -> float:
        """Value of the metric by which networks are ranked."""
        return next(iter(self.metrics.values()))

    def to_json(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return {**self.metrics, "loss": self.loss, "images": self.images}


def score_network(fabric: "Fabric", network: GraphModule, images: data.ImageData) -> Score:
    """Return the score of a network on the test images, computed exactly as in its training."""
    to_device(network, fabric.device)
    return _score(evaluate(fabric, images.task, network, scoring_batches(fabric, images).epoch(0)))


@torch.no_grad()
def score_exported(
    fabric: "Fabric", exported: Callable[[Tensor], Outputs], images: data.ImageData
) -> Score:
    """Return the score of an exported network on the test images."""
    meter = Meter(fabric, images.task)
    for batch, targets in scoring_batches(fabric, images).epoch(0):
        outputs = move(exported(batch), batch.device)
        meter.add(images.task.loss(outputs, targets), outputs, targets)
    return _score(meter)


def _score(meter: Meter) -> Score:
    metrics = {key: round(value, 4) for key, value in meter.values().items()}
    return Score(metrics=metrics, loss=meter.loss, images=meter.images)
