"""Trainer of one network: its optimiser, the average of its weights, and the step.

Legend: B batch, C channels, H height, W width.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from archwright.engine.device import average_over_processes, to_device
from archwright.engine.schedule import cosine
from archwright.engine.scoring.evaluate import average_statistics
from archwright.engine.scoring.meter import Meter
from archwright.lowering import GraphModule
from archwright.tasks import Outputs, Targets, Task
from archwright.training.config import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


LossTerm = Callable[[Tensor, Outputs], Tensor]
"""Term that joins the loss, of images [B, C, H, W] and the network's outputs."""


class Trainer:
    """Network in training for a task, with all state that changes meanwhile.

    `term` is added to the loss, if it is given; the meter ignores it.
    """

    def __init__(
        self,
        fabric: "Fabric",
        task: Task,
        network: GraphModule,
        config: TrainConfig,
        term: LossTerm | None = None,
    ) -> None:
        self.fabric = fabric
        self.config = config
        self.task = task.for_training(config)
        self._term = term
        self.network = to_device(network, fabric.device).train()
        self._parameters = list(self.network.parameters())
        self.optimiser = torch.optim.SGD(
            self._parameters,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov and config.momentum > 0,
            weight_decay=config.weight_decay,
        )
        average = get_ema_multi_avg_fn(config.ema)
        self._average = (
            AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
            if config.ema
            else None
        )
        self.meter = Meter(fabric, task)

    @property
    def eval_network(self) -> GraphModule:
        """Network to score and to keep: the moving average, if there is one."""
        return self.network if self._average is None else cast(GraphModule, self._average.module)

    def step(self, images: Tensor, targets: Targets, progress: float) -> None:
        """Take one step of SGD on images [B, C, H, W] and targets; progress is 0 to 1."""
        config = self.config
        warmup = config.warmup_epochs / config.epochs
        for group in self.optimiser.param_groups:
            group["lr"] = cosine(progress, config.lr, config.lr_min, warmup=warmup)
        self.network.drop_path = config.drop_path * progress
        self.optimiser.zero_grad()
        with self.fabric.autocast():
            outputs, auxiliary = self.network(images)
        loss = self.task.loss(outputs, targets)
        total = loss
        if auxiliary is not None:
            total = loss + config.auxiliary * self.task.loss(auxiliary, targets)
        if self._term is not None:
            total = total + self._term(images, outputs)
        total.backward()
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        average_over_processes(self.fabric, gradients)
        norm = nn.utils.clip_grad_norm_(self._parameters, config.clip)
        self.optimiser.step()
        if self._average is not None:
            self._average.update_parameters(self.network)
        self.meter.add(loss, outputs, targets, norm)

    def share_statistics(self) -> None:
        """Make all processes score, and keep, the same network."""
        average_statistics(self.fabric, self.network)
        if self._average is not None:
            average_statistics(self.fabric, self.eval_network)

    def state(self) -> dict[str, Any]:
        """Return all state that changes during the training."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self._average.state_dict() if self._average is not None else None,
            "meter": self.meter.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.meter.load_state(state["meter"])
