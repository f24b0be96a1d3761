"""The two alternating steps of a search: weights on one half of the images, alpha on the other.

Legend: E decisions, O candidates of the largest decision, B batch.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.lower import NaiveNetwork, logits_table
from archwright.runs.device import average_over_processes
from archwright.search.method import Method, Moment
from archwright.search.recipe import Recipe
from archwright.train.meter import Meter, require_finite
from archwright.train.schedule import cosine

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Batch = tuple[Tensor, Tensor]
"""Images [B, C, H, W] and labels [B]."""


class Bilevel:
    """A supernet, its alpha [E, O], and an optimiser for each (DARTS, algorithm 1)."""

    def __init__(
        self, fabric: "Fabric", network: NaiveNetwork, method: Method, recipe: Recipe
    ) -> None:
        self.fabric = fabric
        self.network = network.to(fabric.device).train()
        self.method = method
        self.recipe = recipe
        table = logits_table(network.decisions)
        self._padding = torch.where(table.isinf(), table, 0.0).to(fabric.device)
        start = recipe.alpha_init * torch.randn(table.shape) * ~table.isinf()
        self.alpha = nn.Parameter(start.to(fabric.device))
        self._weights = [p for p in self.network.parameters() if p.requires_grad]
        self.weight_optimiser = torch.optim.SGD(
            self._weights,
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov and recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )
        self.alpha_optimiser = torch.optim.Adam(
            [self.alpha],
            lr=recipe.alpha_lr,
            betas=recipe.alpha_betas,
            weight_decay=recipe.alpha_weight_decay,
        )
        self.train_meter = Meter(fabric)
        self.valid_meter = Meter(fabric)

    @property
    def logits(self) -> Tensor:
        """Alpha [E, O], -inf where a decision has fewer candidates."""
        return self.alpha + self._padding

    def step(self, weights_batch: Batch, alpha_batch: Batch, moment: Moment) -> None:
        """One step of each, in the recipe's order; alpha waits for its first epoch."""
        learns = moment.epoch >= self.recipe.alpha_start
        if learns and self.recipe.alpha_first:
            self._alpha_step(alpha_batch, moment)
        self._weight_step(weights_batch, moment)
        if learns and not self.recipe.alpha_first:
            self._alpha_step(alpha_batch, moment)

    def _weight_step(self, batch: Batch, moment: Moment) -> None:
        recipe = self.recipe
        warmup = recipe.warmup_epochs / moment.epochs
        for group in self.weight_optimiser.param_groups:
            group["lr"] = cosine(moment.progress, recipe.lr, recipe.lr_min, warmup=warmup)
        self.weight_optimiser.zero_grad()
        loss, scores = self._loss(batch, self.logits.detach(), moment)
        loss.backward()
        gradients = [p.grad for p in self._weights if p.grad is not None]
        average_over_processes(self.fabric, gradients)
        norm = nn.utils.clip_grad_norm_(self._weights, recipe.clip)
        self.weight_optimiser.step()
        self.train_meter.add(loss, scores, batch[1], norm)

    def _alpha_step(self, batch: Batch, moment: Moment) -> None:
        self.alpha_optimiser.zero_grad()
        logits = self.logits
        with _frozen(self._weights):  # their gradients would be thrown away
            loss, scores = self._loss(batch, logits, moment)
            penalty = self.method.penalty(logits, moment)
            (loss if penalty is None else loss + penalty).backward()
        gradient = self.alpha.grad
        assert gradient is not None, "every method weighs the candidates by alpha"
        average_over_processes(self.fabric, [gradient])
        self.alpha_optimiser.step()
        self.valid_meter.add(loss, scores, batch[1], gradient.norm())

    def _loss(self, batch: Batch, logits: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        images, labels = batch
        with self.fabric.autocast():
            scores, _ = self.network(images, self.method.mixture(logits, moment))
        return functional.cross_entropy(scores.float(), labels), scores

    def require_finite(self, epoch: int) -> None:
        """Check both losses of the epoch so far.

        Raises:
            DivergedError: one is no longer a finite number.
        """
        meters = {"the weights' images": self.train_meter, "alpha's images": self.valid_meter}
        ordered = reversed(meters.items()) if self.recipe.alpha_first else meters.items()
        require_finite(epoch, dict(ordered))

    def weights(self) -> dict[str, list[float]]:
        """The softmax of alpha: a list a decision, in its candidates' order."""
        rows = self.logits.detach().double().softmax(dim=1).cpu()
        return {
            decision.name: rows[row, : len(decision.candidates)].tolist()
            for row, decision in enumerate(self.network.decisions)
        }

    def state(self) -> dict[str, Any]:
        """All that changes as the search goes on."""
        return {
            "network": self.network.state_dict(),
            "alpha": self.alpha.detach(),
            "weight_optimiser": self.weight_optimiser.state_dict(),
            "alpha_optimiser": self.alpha_optimiser.state_dict(),
            "train_meter": self.train_meter.sums,
            "valid_meter": self.valid_meter.sums,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.alpha.data.copy_(state["alpha"])
        self.weight_optimiser.load_state_dict(state["weight_optimiser"])
        self.alpha_optimiser.load_state_dict(state["alpha_optimiser"])
        self.train_meter.sums.copy_(state["train_meter"])
        self.valid_meter.sums.copy_(state["valid_meter"])


@contextmanager
def _frozen(parameters: list[nn.Parameter]) -> Generator[None]:
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
