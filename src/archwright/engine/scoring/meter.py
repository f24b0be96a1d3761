"""Running loss and metrics of a pass over images, kept on the device and resumable."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright.engine.device import gather_states
from archwright.errors import DivergedError
from archwright.tasks import Outputs, Targets, Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Meter:
    """Loss and metrics of a task over the batches that were added since `reset`.

    Attributes:
        sums: the loss, images, and how many batches were added before one was not finite [3].
        metrics: the task's accumulator.
    """

    def __init__(self, fabric: "Fabric", task: Task) -> None:
        self._fabric, self._task = fabric, task
        self.sums = torch.zeros(3, dtype=torch.float64, device=fabric.device)
        self.metrics = task.accumulator()

    @torch.no_grad()
    def add(
        self, loss: Tensor, outputs: Outputs, targets: Targets, gradient: Tensor | None = None
    ) -> None:
        """Count a batch: its mean loss, what the network gave, and what it was to give.

        gradient: the norm of the loss's gradient, if there is one; it must be finite too.
        """
        total = loss * len(targets)
        if gradient is not None:
            total = total + 0 * gradient  # not a number unless the norm is finite
        self.sums[:2] += torch.stack([total.double(), total.new_tensor(len(targets)).double()])
        self.sums[2] += torch.isfinite(self.sums[0])
        self.metrics.update(outputs, targets)

    def merge(self, other: "Meter") -> None:
        """Add all that another meter has counted."""
        self.sums += other.sums
        self.metrics.merge(other.metrics.state())

    def reset(self) -> None:
        """Start over."""
        self.sums.zero_()
        self.metrics = self._task.accumulator()

    def over_processes(self) -> "Meter":
        """Return the same of all processes together; every one of them must ask."""
        total = Meter(self._fabric, self._task)
        total.sums = self._reduced(self.sums, "sum")
        for state in gather_states(self._fabric, self.metrics.state()):
            total.metrics.merge(state)
        return total

    @property
    def images(self) -> int:
        """Return the number of images that were counted."""
        return int(self.sums[1])

    @property
    def loss(self) -> float | None:
        """Mean loss; None if nothing was counted, or if it is not a finite number."""
        mean = float(self.sums[0]) / self.images if self.images else None
        return mean if mean is None or math.isfinite(mean) else None

    def values(self) -> dict[str, float]:
        """Return every metric of the task by key; {} if nothing was counted."""
        return self.metrics.compute()

    @property
    def score(self) -> float | None:
        """The metric that networks are ranked by; None if nothing was counted."""
        return self.values().get(self._task.metric.key)

    def state(self) -> dict[str, Any]:
        """Return all that was counted, as a checkpoint holds it."""
        return {"sums": self.sums, "metrics": dict(self.metrics.state())}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.reset()
        self.sums.copy_(state["sums"])
        self.metrics.merge(state["metrics"])

    def first_bad(self) -> int | None:
        """The first batch, from 0, whose loss or gradient was not finite in any process."""
        health = torch.stack([torch.isfinite(self.sums[0]).double(), self.sums[2]])
        finite, good = self._reduced(health, "min").tolist()
        return None if finite else int(good)

    def _reduced(self, values: Tensor, how: str) -> Tensor:
        if self._fabric.world_size == 1:
            return values
        result = self._fabric.all_reduce(values.clone(), reduce_op=how)
        assert isinstance(result, Tensor), "a tensor goes in, a tensor comes out"
        return result


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
