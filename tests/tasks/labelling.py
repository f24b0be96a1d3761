"""A task of another package, in one file: label every pixel, scored by the mean IoU of a pass.

Legend: B batch, H height, W width, K classes; h, w the resolution of the features.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from archwright.graph import AvgPool, Cell, Conv, Edge, Step, chain, name_slots
from archwright.tasks import Accumulator, Features, Metric, Outputs, SumAccumulator, Targets, Task

IGNORE = 255
"""The label of pixels that do not count."""


@dataclass(frozen=True)
class PixelLabelling(Task):
    """Labels int64 [B, H, W] in, scores [B, K, h, w] out."""

    name: ClassVar[str] = "pixel-labelling"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(key="miou", label="mean IoU"),
        Metric(key="pixels", label="pixels"),
    )

    @override
    def head(self, features: Features, classes: int) -> tuple[Step, ...]:
        """Return the sum of scores from the last two maps, at the resolution of the last."""
        fine, last = features.maps[-2:]
        shapes = features.shapes()
        factor = shapes[fine].height // shapes[last].height
        scores = (Conv(shapes[fine].channels, classes, 1), Conv(features.width, classes, 1))
        cell = Cell(
            kind="labels",
            inputs=(
                chain() if factor == 1 else chain(AvgPool(factor, factor, valid=True)),
                name_slots(chain(*features.neck), "labels/neck"),
            ),
            nodes=1,
            edges=tuple(
                Edge(source, 2, name_slots(chain(conv), f"labels/{source}"))
                for source, conv in enumerate(scores)
            ),
            output=(2,),
        )
        return (Step("labels", cell, (fine, last)),)

    @override
    def loss(self, outputs: Outputs, targets: Targets) -> Tensor:
        """Return the mean over images of the mean cross-entropy of the pixels that count."""
        scores, labels = _scores(outputs, targets), torch.as_tensor(targets)
        each = functional.cross_entropy(scores, labels, ignore_index=IGNORE, reduction="none")
        counted = (labels != IGNORE).flatten(1).sum(1).clamp(min=1)
        return (each.flatten(1).sum(1) / counted).mean()

    @override
    def distillation(self, outputs: Outputs, teacher: Outputs, temperature: float) -> Tensor:
        given, wanted = (
            functional.log_softmax(_map(one) / temperature, dim=1) for one in (outputs, teacher)
        )
        pixels = given.shape[2] * given.shape[3]
        found = functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
        return found / pixels

    @override
    def predict(self, outputs: Outputs) -> Targets:
        return _map(outputs).argmax(dim=1)

    @override
    def accumulator(self) -> Accumulator:
        return _Confusion()

    @override
    def random_targets(
        self, images: Tensor, classes: int, generator: torch.Generator | None = None
    ) -> Targets:
        size = (len(images), *images.shape[2:])
        labels = torch.randint(classes, size, generator=generator)
        labels[:, 0] = IGNORE
        return labels.to(images.device)


class _Confusion(SumAccumulator):
    """Pixels by their label and the predicted one [K, K]: IoU is no mean over images or batches."""

    @override
    def update(self, outputs: Outputs, targets: Targets) -> None:
        labels = torch.as_tensor(targets)
        scores = _scores(outputs, targets)
        classes, found = scores.shape[1], scores.argmax(dim=1)
        counted = labels != IGNORE
        pairs = labels[counted] * classes + found[counted]
        self.add(pairs.bincount(minlength=classes**2).view(classes, classes))

    @override
    def compute(self) -> dict[str, float]:
        if self.sums is None:
            return {}
        hits = self.sums.diagonal()
        either = self.sums.sum(0) + self.sums.sum(1) - hits
        there = either > 0
        overlap = (hits[there] / either[there]).mean() if there.any() else hits.new_zeros(())
        share = hits.sum() / self.sums.sum().clamp(min=1)
        return {"miou": 100 * float(overlap), "pixels": 100 * float(share)}


def _map(outputs: Outputs) -> Tensor:
    assert isinstance(outputs, Tensor)
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def _scores(outputs: Outputs, targets: Targets) -> Tensor:
    """The scores at the resolution of the labels."""
    return functional.interpolate(_map(outputs), size=torch.as_tensor(targets).shape[1:])
