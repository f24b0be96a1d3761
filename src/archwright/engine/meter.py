"""Running means of loss and accuracy, kept on the device and resumable."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archwright.errors import DivergedError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Meter:
    """Sums of loss, top-1 and top-5 hits, and images, over the batches added since `reset`.

    Attributes:
        sums: those four, and how many batches were added before one was not finite.
    """

    def __init__(self, fabric: "Fabric") -> None:
        self._fabric = fabric
        self.sums = torch.zeros(5, dtype=torch.float64, device=fabric.device)

    def add(
        self, loss: Tensor, logits: Tensor, labels: Tensor, gradient: Tensor | None = None
    ) -> None:
        """Count a batch: its mean loss, logits [B, classes], labels [B].

        gradient: the norm of the loss's gradient, if there is one; it must be finite too.
        """
        ranked = logits.detach().topk(min(5, logits.shape[1]), dim=1).indices
        hits = ranked.eq(labels[:, None])
        count = len(labels)
        total = loss.detach() * count
        if gradient is not None:
            total = total + 0 * gradient.detach()  # not a number unless the norm is finite
        parts = (total, hits[:, 0].sum(), hits.sum(), loss.new_tensor(count))
        self.sums[:4] += torch.stack([part.double() for part in parts])
        self.sums[4] += torch.isfinite(self.sums[0])

    def reset(self) -> None:
        """Start over."""
        self.sums.zero_()

    def over_processes(self) -> "Meter":
        """The same of all processes together; every one of them must ask."""
        total = Meter(self._fabric)
        total.sums = self._reduced(self.sums, "sum")
        return total

    @property
    def loss(self) -> float | None:
        """Mean loss; None if nothing was counted, or if it is not a finite number."""
        mean = self._mean(0)
        return mean if mean is None or math.isfinite(mean) else None

    @property
    def top1(self) -> float | None:
        """Percent of images whose label has the largest logit."""
        return self._percent(1)

    @property
    def top5(self) -> float | None:
        """Percent of images whose label is among the five largest logits."""
        return self._percent(2)

    def first_bad(self) -> int | None:
        """The first batch, from 0, whose loss or gradient was not finite in any process."""
        health = torch.stack([torch.isfinite(self.sums[0]).double(), self.sums[4]])
        finite, good = self._reduced(health, "min").tolist()
        return None if finite else int(good)

    def _reduced(self, values: Tensor, how: str) -> Tensor:
        if self._fabric.world_size == 1:
            return values
        result = self._fabric.all_reduce(values.clone(), reduce_op=how)
        assert isinstance(result, Tensor), "a tensor goes in, a tensor comes out"
        return result

    def _mean(self, index: int) -> float | None:
        count = float(self.sums[3])
        return float(self.sums[index]) / count if count else None

    def _percent(self, index: int) -> float | None:
        mean = self._mean(index)
        return None if mean is None else 100.0 * mean


def require_finite(epoch: int, meters: Mapping[str, Meter]) -> None:
    """Check the loss and the gradient of every batch that the meters of an epoch counted.

    The meters go by the images that they saw, in the order in which a step feeds them: what
    diverges first takes the others with it. `epoch` counts from 0, the message from 1.

    Raises:
        DivergedError: one was not finite; the text says where, and what is left.
    """
    bad = {which: meter.first_bad() for which, meter in meters.items()}
    steps = {which: step for which, step in bad.items() if step is not None}
    if steps:
        which = min(steps, key=lambda name: steps[name])
        raise DivergedError(
            f"the loss or its gradient is not finite in epoch {epoch + 1}, step "
            f"{steps[which] + 1}, on {which}: lower the learning rate; what was saved before is "
            f"kept"
        )
