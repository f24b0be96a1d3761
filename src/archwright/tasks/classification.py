"""Image classification: one label an image, cross-entropy, and top-1 and top-5 accuracy.

Legend: B batch, C channels, H height, W width.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from typing_extensions import override

from archwright.errors import ConfigError
from archwright.graph import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Linear,
    Network,
    ReLU,
    Step,
    expression_step,
    walk_network,
)
from archwright.tasks.contract import (
    Accumulator,
    Features,
    Metric,
    Outputs,
    SumAccumulator,
    Targets,
    Task,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Classification(Task):
    """Tell images apart: labels int64 [B] in, logits [B, classes] out.

    Attributes:
        label_smoothing: share of the label that the loss spreads over all classes.
    """

    name: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(key="top1", label="top-1"),
        Metric(key="top5", label="top-5"),
    )
    options: ClassVar[tuple[str, ...]] = ("label_smoothing",)
    label_smoothing: float = 0.0

    @override
    def for_training(self, settings: Any) -> Self:
        return replace(self, label_smoothing=settings.label_smoothing)

    @override
    def head(self, features: Features, classes: int) -> tuple[Step, ...]:
        """Return the classifier: the neck, global average pooling, and a linear layer."""
        last = Linear(features.width, classes, bias=features.bias)
        parts = (*features.neck, GlobalAvgPool(), last)
        return (expression_step("head", features.maps[-1], *parts),)

    @override
    def with_auxiliary(self, network: Network, after: str, classes: int) -> Network:
        """Return `network` with DARTS' auxiliary classifier on the features of step `after`.

        Pooled to 2x2, a pointwise conv to 128, a 2x2 conv to 768 channels, and a linear layer.

        Raises:
            ConfigError: the features are a single pixel by then.
        """
        shape = walk_network(network)[after]
        side = min(shape.height, shape.width)
        if side < 2:
            raise ConfigError(
                f"no auxiliary head fits on {side}x{side} pixels after {after}: leave it out"
            )
        # at 8x8 (CIFAR) and 7x7 (ImageNet) this is the published 5x5 window at stride 3 and 2
        window = min(5, side - 1)
        pool = AvgPool(window, side - window, valid=True)
        parts = (
            *(ReLU(), pool, Conv(shape.channels, 128, 1), BatchNorm(128)),
            *(ReLU(), Conv(128, 768, 2), BatchNorm(768), ReLU(), GlobalAvgPool()),
            Linear(768, classes),
        )
        head = expression_step("auxiliary", after, *parts)
        *before, last = network.steps
        return replace(network, steps=(*before, head, last), auxiliary=head.name)

    @override
    def loss(self, outputs: Outputs, targets: Targets) -> "Tensor":
        """Return the mean cross-entropy."""
        return self._cross_entropy(outputs, targets, "mean")

    @override
    def loss_sum(self, outputs: Outputs, targets: Targets) -> "Tensor":
        return self._cross_entropy(outputs, targets, "sum")

    def _cross_entropy(self, outputs: Outputs, targets: Targets, reduction: str) -> "Tensor":
        from torch.nn import functional

        return functional.cross_entropy(
            _at_least_float32(_tensor(outputs)),
            _tensor(targets),
            reduction=reduction,
            label_smoothing=self.label_smoothing,
        )

    @override
    def distillation(self, outputs: Outputs, teacher: Outputs, temperature: float) -> "Tensor":
        """Return KL(softmax(teacher / T) || softmax(logits / T)), the mean over images."""
        from torch.nn import functional

        given = functional.log_softmax(_at_least_float32(_tensor(outputs)) / temperature, dim=1)
        target = functional.log_softmax(_at_least_float32(_tensor(teacher)) / temperature, dim=1)
        return functional.kl_div(given, target, reduction="batchmean", log_target=True)

    @override
    def predict(self, outputs: Outputs) -> Targets:
        """Return the label [B] of the largest logit."""
        return _tensor(outputs).argmax(dim=1)

    @override
    def accumulator(self) -> Accumulator:
        return _Hits()

    @override
    def random_targets(
        self, images: "Tensor", classes: int, generator: "torch.Generator | None" = None
    ) -> Targets:
        import torch

        device = images.device if generator is None else generator.device
        labels = torch.randint(classes, (len(images),), generator=generator, device=device)
        return labels.to(images.device)


CLASSIFICATION = Classification()
"""The task as it is published; that of images which say nothing else."""


class _Hits(SumAccumulator):
    """Images whose label has the largest logit, or is among the five largest; percent of all."""

    @override
    def update(self, outputs: Outputs, targets: Targets) -> None:
        import torch

        logits, labels = _tensor(outputs).detach(), _tensor(targets)
        ranked = logits.topk(min(5, logits.shape[1]), dim=1).indices
        hits = ranked.eq(labels[:, None])
        count = hits.new_full((), len(labels), dtype=torch.int64)
        self.add(torch.stack([hits[:, 0].sum(), hits.sum(), count]))

    @override
    def compute(self) -> dict[str, float]:
        if self.sums is None or not self.sums[2]:
            return {}
        first, five, images = self.sums.tolist()
        return {"top1": 100.0 * (first / images), "top5": 100.0 * (five / images)}


def _tensor(value: Outputs | Targets) -> "Tensor":
    from torch import Tensor

    assert isinstance(value, Tensor), "a classifier has one output, and a label an image"
    return value


def _at_least_float32(logits: "Tensor") -> "Tensor":
    """Return logits that were computed under autocast in float32, others as they are."""
    import torch

    return logits.to(torch.promote_types(logits.dtype, torch.float32))
