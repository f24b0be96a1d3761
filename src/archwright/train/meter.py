"""Running means of loss and accuracy, kept on the device and resumable."""

import torch
from torch import Tensor

from archwright.errors import DivergedError


class Meter:
    """Sums of loss, top-1 and top-5 hits, and images, over what was added since `reset`."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: its mean loss, logits [B, classes], labels [B]."""
        ranked = logits.detach().topk(min(5, logits.shape[1]), dim=1).indices
        hits = ranked.eq(labels[:, None])
        count = len(labels)
        parts = (loss.detach() * count, hits[:, 0].sum(), hits.sum(), loss.new_tensor(count))
        self.sums += torch.stack([part.double() for part in parts])

    def reset(self) -> None:
        """Start over."""
        self.sums.zero_()

    @property
    def loss(self) -> float | None:
        """Mean loss; None if nothing was counted."""
        return self._mean(0)

    @property
    def top1(self) -> float | None:
        """Percent of images whose label has the largest logit."""
        return self._percent(1)

    @property
    def top5(self) -> float | None:
        """Percent of images whose label is among the five largest logits."""
        return self._percent(2)

    def require_finite(self, where: str) -> None:
        """Check that the loss is a number.

        Raises:
            DivergedError: it is not; the text says where, and what is left.
        """
        if not bool(torch.isfinite(self.sums[0])):
            raise DivergedError(
                f"the loss is not finite {where}: lower the learning rate; the last good "
                f"checkpoint is kept"
            )

    def _mean(self, index: int) -> float | None:
        count = float(self.sums[3])
        return float(self.sums[index]) / count if count else None

    def _percent(self, index: int) -> float | None:
        mean = self._mean(index)
        return None if mean is None else 100.0 * mean
