"""Indicators of collapse, measured at the end of an epoch without side effects on the search.

Legend: E decisions, O candidates of the largest decision, N all numbers of alpha.
"""

import math
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from archwright import data
from archwright.engine.device import average_over_processes
from archwright.engine.runs.checkpoint import random_state, restore_random
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.nas.bilevel.bilevel import Bilevel, frozen
from archwright.nas.derive.oneshot import mixture_score, one_shot_score
from archwright.nas.method import Method, Progress
from archwright.nas.monitor.hessian import largest_eigenvalue
from archwright.nas.monitor.statistics import (
    OperationRoles,
    Weights,
    entropy,
    max_skips,
    ranking,
    skip_fraction,
)
from archwright.nas.monitor.stopping import EpochRecord, StopRule, epochs_needed, selected_epoch
from archwright.nas.recipe import Recipe
from archwright.tasks import Batch

_BATCHES = 2
"""Batches of alpha's images on which the gap is measured, the same ones in every epoch."""
_PRODUCTS = 3
"""Products with the Hessian per epoch, starting from the vector of the epoch before."""
_PARTS = 4
"""Parts of a batch, of which one is used to measure the eigenvalue."""
_SEED = 0
"""Seed of the first direction, and of the noise of sampling methods."""


@dataclass(frozen=True, kw_only=True)
class CollapseMetrics:
    """Indicators of collapse that are logged in an epoch.

    Attributes:
        entropy: mean entropy of the decisions, nats.
        skips: for each kind of cell, the fraction of its decisions whose strongest candidate is a
            skip connection.
        gap: discretisation gap: the task's metric with the method's mixture less that of the
            derived architecture, with the same weights on the same images, in the metric's unit
            (percentage points); None: not measured.
        eigenvalue: largest eigenvalue of the Hessian of alpha's loss in alpha; None: not measured.
        watch_seconds: time of the measurement.
    """

    entropy: float
    skips: dict[str, float]
    gap: float | None = None
    eigenvalue: float | None = None
    watch_seconds: float = 0.0


def check_watch(
    method: Method, name: str, watch: bool | None, rule: StopRule, recipe: Recipe
) -> bool:
    """Return whether gap and curvature are measured: where alpha learns, unless turned off.

    Raises:
        ConfigError: alpha does not learn, or a rule needs indicators that are not measured, or
            more epochs than the search has.
    """
    if not method.learns and (watch or rule != "none"):
        flag = "--watch" if watch else f"--stop-early {rule}"
        raise ConfigError(f"{flag} monitors alpha, which {name} does not learn: leave it out")
    if rule == "eigenvalue" and watch is False:
        raise ConfigError("--stop-early eigenvalue needs the curvature: leave out --no-watch")
    learned, needed = max(recipe.epochs - recipe.alpha_start, 0), epochs_needed(rule)
    if learned < needed:
        raise ConfigError(
            f"--stop-early {rule} needs {needed} epochs in which alpha learns, and there are "
            f"{learned}: give --epochs {recipe.alpha_start + needed} or more, or leave it "
            f"out"
        )
    return method.learns and watch is not False


class CollapseMonitor:
    """Monitor of a search: indicators of collapse in each epoch, and early stopping."""

    def __init__(
        self,
        bilevel: Bilevel,
        roles: OperationRoles,
        rule: StopRule,
        *,
        none_op: str | None,
        batches: data.Batches | None,
    ) -> None:
        """Monitor `bilevel`.

        `none_op` is the name of `none` where it cannot be selected; `batches` are of alpha's images
        (None: gap and curvature are not measured).
        """
        self._bilevel, self._roles, self._none_op = bilevel, roles, none_op
        self._rule: StopRule = rule
        self._batches: Sequence[Batch] = (
            [] if batches is None else list(islice(batches.epoch(0), _BATCHES))
        )
        size = sum(parameter.numel() for parameter in bilevel.alpha.parameters())
        generator = torch.Generator().manual_seed(_SEED)
        self._direction = torch.randn(size, generator=generator).to(bilevel.fabric.device)
        self._history: list[EpochRecord] = []

    def observe(
        self, weights: Weights, scores: Weights, architecture: Architecture, progress: Progress
    ) -> CollapseMetrics:
        """Measure the indicators at the end of an epoch.

        `weights` are the expected weights of the candidates, `scores` their ranking scores, from
        which `architecture` is derived.
        """
        decisions, learns = self._bilevel.network.decisions, self._bilevel.method.learns
        gap: float | None = None
        eigenvalue: float | None = None
        start = time.monotonic()
        if self._batches:
            with without_side_effects(self._bilevel):
                gap = self._gap(architecture, progress)
                eigenvalue = self._eigenvalue()
        seconds = round(time.monotonic() - start, 3)
        if self._bilevel.learns(progress):
            seen = EpochRecord(
                epoch=progress.epoch,
                weights=scores,
                ranking=ranking(scores, decisions, self._roles),
                skips=max_skips(architecture, self._roles),
                eigenvalue=eigenvalue,
            )
            self._history.append(seen)
        return CollapseMetrics(
            entropy=entropy(weights),
            skips=skip_fraction(scores, decisions, self._roles, none_op=self._none_op)
            if learns
            else {},
            gap=gap,
            eigenvalue=eigenvalue,
            watch_seconds=seconds,
        )

    @property
    def stop_epoch(self) -> EpochRecord | None:
        """Epoch whose ranking scores are used, if the search is to be stopped; else None."""
        epoch = selected_epoch(self._rule, self._history)
        return next((seen for seen in self._history if seen.epoch == epoch), None)

    @property
    def ranking_scores(self) -> Weights:
        """Ranking scores from which the architecture is derived."""
        stopped = self.stop_epoch
        return self._bilevel.ranking_scores() if stopped is None else stopped.weights

    def state(self) -> dict[str, Any]:
        """Return the state that later epochs need."""
        history = [asdict(seen) for seen in self._history]
        return {"direction": self._direction, "history": history}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self._direction.copy_(state["direction"])
        self._history = [EpochRecord(**seen) for seen in state["history"]]

    def _gap(self, architecture: Architecture, progress: Progress) -> float:
        bilevel = self._bilevel
        torch.manual_seed(_SEED)
        mixture = bilevel.mixture(bilevel.alpha().detach(), progress)
        given = (bilevel.fabric, bilevel.task, bilevel.network)
        mixed = mixture_score(*given, mixture, self._batches)
        alone = one_shot_score(*given, architecture, self._batches)
        return mixed - alone

    def _eigenvalue(self) -> float | None:
        """Return the largest eigenvalue of the loss with candidates at their expected weights.

        The gradient is differentiated again: it jumps where ReLUs switch, and a finite difference
        would measure mainly these jumps. The activations are those of a part of a batch in full
        precision, so that the memory is about that of a step of the search.
        """
        bilevel, (images, targets) = self._bilevel, self._batches[0]
        part = max(2, len(images) // _PARTS)
        alpha = list(bilevel.alpha.parameters())
        with _kept_for_two(bilevel.network):
            outputs, _ = bilevel.network(images[:part], expected_mixture(bilevel))
            loss = bilevel.task.loss(outputs, targets[:part])
            gradient = _flat(torch.autograd.grad(loss, alpha, create_graph=True))

            def product(direction: Tensor) -> Tensor:
                found = torch.autograd.grad(gradient, alpha, direction, retain_graph=True)
                flat = _flat(found)
                average_over_processes(bilevel.fabric, [flat])
                return flat

            value, direction = largest_eigenvalue(product, self._direction, _PRODUCTS)
        if not math.isfinite(value):
            return None
        self._direction = direction
        return value


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


@contextmanager
def _kept_for_two(network: GraphModule) -> Generator[None]:
    """Keep what is needed to differentiate the gradients of `network` again."""
    if not isinstance(network, FusedNetwork):
        yield
        return
    before, network.keeps_all = network.keeps_all, True
    try:
        yield
    finally:
        network.keeps_all = before


def expected_mixture(bilevel: Bilevel) -> Mixture:
    """Return the mixture of all candidates at their expected weights, without noise."""
    logits = bilevel.alpha()
    mixture = Mixture.from_weights(bilevel.method.candidate_weights(logits.candidates))
    return mixture if logits.edge_weights is None else mixture.times(logits.edge_weights)


@contextmanager
def without_side_effects(bilevel: Bilevel) -> Generator[None]:
    """Restore the statistics of a search and the random state at the end of the context."""
    device = bilevel.fabric.device
    buffers = [(buffer, buffer.clone()) for buffer in bilevel.network.buffers()]
    random = {"random": random_state(device)}
    try:
        with frozen([p for p in bilevel.network.parameters() if p.requires_grad]):
            yield
    finally:
        restore_random(random, device)
        for buffer, kept in buffers:
            buffer.copy_(kept)
