"""The two alternating steps of a search: weights on one half of the images, alpha on the other.

Legend: E decisions, O candidates of the largest decision, B batch.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.cost import Encoding
from archwright.engine.device import average_over_processes
from archwright.engine.schedule import cosine
from archwright.engine.scoring.meter import Meter, require_finite
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.nas.bilevel.unrolled import second_order
from archwright.nas.budget.augmented_lagrangian import AugmentedLagrangian
from archwright.nas.method import Method, Progress
from archwright.nas.parameters.alpha import Logits, weights_by_decision
from archwright.nas.parameters.ranking import candidate_trees, hierarchical_scores
from archwright.nas.recipe import Recipe, Unroll
from archwright.tasks import Batch, Outputs, Task, join_outputs

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Bilevel:
    """A supernet, its alpha, and an optimiser for each (DARTS, algorithm 1)."""

    def __init__(
        self,
        fabric: "Fabric",
        task: Task,
        network: GraphModule,
        method: Method,
        recipe: Recipe,
        lagrangian: AugmentedLagrangian | None = None,
        encoding: Encoding | None = None,
        *,
        nested: bool = False,
    ) -> None:
        """Build a search of `network` for a task; an `encoding` of its graph conditions alpha.

        With `nested`, groups of candidates that share modules are ranked first (see
        `hierarchical_scores`).
        """
        self.fabric = fabric
        self.task = task
        self.lagrangian = lagrangian
        self.nested = nested
        self.method = method
        self.recipe = recipe
        self._take(network)
        alpha = method.alpha(network.network, recipe.alpha_init)
        if encoding is not None:
            alpha = method.with_graph_encoding(alpha, network.network, encoding)
        self.alpha = alpha.to(fabric.device)
        self.alpha_optimiser = torch.optim.Adam(
            self.alpha.groups(recipe.alpha_lr),
            betas=recipe.alpha_betas,
            weight_decay=recipe.alpha_weight_decay,
        )
        self._alpha_rates = [group["lr"] for group in self.alpha_optimiser.param_groups]
        self.train_meter = Meter(fabric, task)
        self.valid_meter = Meter(fabric, task)

    def _take(self, network: GraphModule) -> None:
        """Train `network` from now on, with a new optimiser."""
        recipe = self.recipe
        self.network = network.to(self.fabric.device).train()
        self._trees = candidate_trees(network.network)
        if isinstance(network, FusedNetwork):
            network.keeps_all = self.method.unrolling == "exact"
        self._weights = [p for p in self.network.parameters() if p.requires_grad]
        self.weight_optimiser = torch.optim.SGD(
            self._weights,
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov and recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )

    def shrink(self, network: GraphModule, left: Tensor) -> None:
        """Continue with the remaining candidates `left` [E, O], of which `network` is made.

        Weights, statistics and momentum are taken over by slot: every slot of `network` exists in
        the present one. Alpha stays.
        """
        state = self.network.state_dict()
        before = self.weight_optimiser
        known = {name: before.state[p] for name, p in self.network.named_parameters()}
        rates = [group["lr"] for group in before.param_groups]
        self._take(network)
        network.load_state_dict({name: state[name] for name in network.state_dict()})
        for name, parameter in network.named_parameters():
            if known[name]:
                self.weight_optimiser.state[parameter] = known[name]
        for group, rate in zip(self.weight_optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        self.alpha.keep(left)

    def step(self, weights_batch: Batch, alpha_batch: Batch, progress: Progress) -> None:
        """Train weights and alpha by a step each, in the recipe's order; alpha if it learns."""
        recipe, learns = self.recipe, self.learns(progress)
        warmup = recipe.warmup_epochs / progress.epochs
        for group in self.weight_optimiser.param_groups:  # alpha's second order asks for it, too
            group["lr"] = cosine(progress.fraction, recipe.lr, recipe.lr_min, warmup=warmup)
        if learns and recipe.alpha_first:
            self._alpha_step(weights_batch, alpha_batch, progress)
        self._weight_step(weights_batch, progress)
        if learns and not recipe.alpha_first:
            self._alpha_step(weights_batch, alpha_batch, progress)

    def learns(self, progress: Progress) -> bool:
        """Return whether alpha is trained at this progress of the search."""
        return self.method.learns and progress.epoch >= self.recipe.alpha_start

    def mixture(self, logits: Logits, progress: Progress) -> Mixture:
        """Return the mixture of the method for these logits, with new noise."""
        mixture = self.method.mixture(logits.candidates, progress)
        return mixture if logits.edge_weights is None else mixture.times(logits.edge_weights)

    def _weight_step(self, batch: Batch, progress: Progress) -> None:
        self.weight_optimiser.zero_grad()
        loss, outputs = self._loss(batch, self.alpha().detach(), progress)
        loss.backward()
        gradients = [p.grad for p in self._weights if p.grad is not None]
        average_over_processes(self.fabric, gradients)
        norm = nn.utils.clip_grad_norm_(self._weights, self.recipe.clip)
        self.weight_optimiser.step()
        self.train_meter.add(loss, outputs, batch[1], norm)

    def _alpha_step(self, weights_batch: Batch, batch: Batch, progress: Progress) -> None:
        self.alpha_optimiser.zero_grad()
        for group, rate in zip(self.alpha_optimiser.param_groups, self._alpha_rates, strict=True):
            group["lr"] = rate * self.recipe.alpha_rate(progress.fraction)
        if self.method.unrolling is None:
            loss, outputs = self._first_order(batch, progress)
        else:
            loss, outputs = self._second_order(
                weights_batch, batch, progress, self.method.unrolling
            )
        gradients = [p.grad for p in self.alpha.parameters() if p.grad is not None]
        assert gradients, "every method weighs the candidates by alpha"
        average_over_processes(self.fabric, gradients)
        self.alpha_optimiser.step()
        if self.lagrangian is not None:
            self.lagrangian.update_multipliers(self.ranking_scores())
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        self.valid_meter.add(loss, outputs, batch[1], norm)

    def _first_order(self, batch: Batch, progress: Progress) -> tuple[Tensor, Outputs]:
        logits = self.alpha()
        with frozen(self._weights):  # their gradients would be thrown away
            loss, outputs = self._mean_loss(batch, logits, progress)
            self._penalised(loss, logits, progress).backward()
        return loss, outputs

    def _second_order(
        self, weights_batch: Batch, batch: Batch, progress: Progress, unroll: Unroll
    ) -> tuple[Tensor, Outputs]:
        seen: list[tuple[Tensor, Outputs]] = []

        def train() -> Tensor:
            return self._loss(weights_batch, self.alpha(), progress)[0]

        def valid() -> Tensor:
            logits = self.alpha()
            seen.append(self._mean_loss(batch, logits, progress))
            return self._penalised(seen[0][0], logits, progress)

        alpha = list(self.alpha.parameters())
        second_order(
            *(self._weights, alpha, train, valid, self.weight_optimiser, unroll),
            average=self._averaged,
        )
        return seen[0]

    def _averaged(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the means of gradients over all processes."""
        if self.fabric.world_size == 1:
            return gradients
        found = [gradient.clone() for gradient in gradients]  # one may be a view of another
        average_over_processes(self.fabric, found)
        return found

    def _penalised(self, loss: Tensor, logits: Logits, progress: Progress) -> Tensor:
        penalty = self.method.penalty(logits.candidates, progress)
        loss = loss if penalty is None else loss + penalty
        if self.lagrangian is None:
            return loss
        return loss + self.lagrangian.penalty(
            self.network.decisions, self.method.expected_weights(logits)
        )

    def _mean_loss(
        self, batch: Batch, logits: Logits, progress: Progress
    ) -> tuple[Tensor, Outputs]:
        """Return the loss over all mixtures that the method draws, each on a part of the batch."""
        images, targets = batch
        draws = min(self.method.alpha_draws, len(images) // 2)  # a batch norm needs two images
        if draws <= 1:
            return self._loss(batch, logits, progress)
        losses: list[Tensor] = []
        outputs: list[Outputs] = []
        first = 0
        for part in images.tensor_split(draws):
            count = len(part)
            own = targets[first : first + count]
            loss, made = self._loss((part, own), logits, progress)
            losses.append(loss * (count / len(images)))
            outputs.append(made)
            first += count
        return torch.stack(losses).sum(), join_outputs(outputs)

    def _loss(self, batch: Batch, logits: Logits, progress: Progress) -> tuple[Tensor, Outputs]:
        images, targets = batch
        with self.fabric.autocast():
            outputs, _ = self.network(images, self.mixture(logits, progress))
        return self.task.loss(outputs, targets), outputs

    def require_finite(self, epoch: int) -> None:
        """Check both losses of the epoch so far.

        Raises:
            DivergedError: one is no longer a finite number.
        """
        meters = {"the weights' images": self.train_meter, "alpha's images": self.valid_meter}
        ordered = reversed(meters.items()) if self.recipe.alpha_first else meters.items()
        require_finite(epoch, dict(ordered))

    def ranking_scores(self) -> dict[str, list[float]]:
        """Return the ranking score of each candidate, a list for each decision in its order."""
        weights = self.weights_by_decision()
        return hierarchical_scores(self._trees, weights) if self.nested else weights

    @torch.no_grad()
    def weights_by_decision(self) -> dict[str, list[float]]:
        """Return the expected weights, a list for each decision in its candidates' order."""
        return weights_by_decision(self.method, self.alpha(), self.network.decisions)

    @torch.no_grad()
    def expected_weights(self) -> Tensor:
        """Return the expected weight of each candidate [E, O]."""
        return self.method.expected_weights(self.alpha())

    def state(self) -> dict[str, Any]:
        """Return the state that a resumed search needs."""
        lagrangian = {} if self.lagrangian is None else {"pressure": self.lagrangian.state()}
        return {
            **lagrangian,
            "network": self.network.state_dict(),
            "alpha": self.alpha.state_dict(),
            "weight_optimiser": self.weight_optimiser.state_dict(),
            "alpha_optimiser": self.alpha_optimiser.state_dict(),
            "train_meter": self.train_meter.state(),
            "valid_meter": self.valid_meter.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.alpha.load_state_dict(state["alpha"])
        self.weight_optimiser.load_state_dict(state["weight_optimiser"])
        self.alpha_optimiser.load_state_dict(state["alpha_optimiser"])
        self.train_meter.load_state(state["train_meter"])
        self.valid_meter.load_state(state["valid_meter"])
        if self.lagrangian is not None:
            self.lagrangian.load_state(state["pressure"])


@contextmanager
def frozen(parameters: list[nn.Parameter]) -> Generator[None]:
    """Compute no gradients of `parameters` inside the context."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
