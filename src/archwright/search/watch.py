"""Looking at a search at the end of an epoch for signs that it collapses, and leaving it as it was.

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
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from archwright import data
from archwright.errors import ConfigError
from archwright.ir import Architecture
from archwright.lower import Mixture
from archwright.runs.checkpoint import random_state, restore_random
from archwright.runs.device import average_over_processes
from archwright.search.alpha import Logits
from archwright.search.bilevel import Batch, Bilevel, frozen
from archwright.search.curvature import largest_eigenvalue
from archwright.search.method import Method, Moment
from archwright.search.oneshot import mixture_accuracy, one_shot_accuracy
from archwright.search.signs import Roles, Weights, entropy, most_skips, ranking, skip_shares
from archwright.search.stopping import Seen, StopRule, epoch_to_take

_BATCHES = 2
"""Batches of alpha's images that the gap is measured on, the same ones in every epoch."""
_PRODUCTS = 3
"""Products with the Hessian an epoch; each goes on from the vector found the epoch before."""
_REACH = 0.1
"""Length of the step of the finite difference, in logits: small beside what tells weights apart."""
_SEED = 0
"""Of the first direction, and of the noise of methods that draw."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What is logged of an epoch.

    Attributes:
        entropy: the mean of the decisions', nats.
        skips: for each kind of cell, the share of its decisions that a skip leads.
        gap: the accuracy with the method's mixture less that of the architecture that it stands
            for, with the same weights on the same images, percentage points; None: not measured.
        eigenvalue: the largest of the Hessian of alpha's loss in alpha; None: not measured.
        watch_seconds: what measuring took.
    """

    entropy: float
    skips: dict[str, float]
    gap: float | None = None
    eigenvalue: float | None = None
    watch_seconds: float = 0.0


def check_watch(method: Method, name: str, watch: bool | None, rule: StopRule) -> bool:
    """Whether gap and curvature are measured: where alpha learns, unless they are turned off.

    Raises:
        ConfigError: there is no alpha to be watched, or a rule needs what is not measured.
    """
    if not method.learns and (watch or rule != "none"):
        flag = "--watch" if watch else f"--stop-early {rule}"
        raise ConfigError(f"{flag} looks at how alpha learns, and {name} has none: leave it out")
    if rule == "eigenvalue" and watch is False:
        raise ConfigError("--stop-early eigenvalue needs what --watch measures: drop --no-watch")
    return method.learns and watch is not False


class Watch:
    """What is known of a search, epoch by epoch, and whether it should be stopped."""

    def __init__(
        self,
        bilevel: Bilevel,
        roles: Roles,
        rule: StopRule,
        *,
        null: str | None,
        batches: data.Batches | None,
    ) -> None:
        """Watch `bilevel`.

        `null` is the candidate that cannot win, if there is one; `batches` are of alpha's images,
        None: nothing is measured that takes time.
        """
        self._bilevel, self._roles, self._null = bilevel, roles, null
        self._rule: StopRule = rule
        self._batches: Sequence[Batch] = (
            [] if batches is None else list(islice(batches.epoch(0), _BATCHES))
        )
        size = sum(parameter.numel() for parameter in bilevel.alpha.parameters())
        generator = torch.Generator().manual_seed(_SEED)
        self._direction = torch.randn(size, generator=generator).to(bilevel.fabric.device)
        self._history: list[Seen] = []

    def look(self, weights: Weights, architecture: Architecture, moment: Moment) -> Signs:
        """The signs at the end of an epoch, whose weights stand for `architecture`."""
        decisions = self._bilevel.network.decisions
        gap: float | None = None
        eigenvalue: float | None = None
        start = time.monotonic()
        if self._batches:
            with undisturbed(self._bilevel):
                gap = self._gap(architecture, moment)
                eigenvalue = self._eigenvalue()
        seconds = round(time.monotonic() - start, 3)
        if self._bilevel.learns(moment):
            seen = Seen(
                epoch=moment.epoch,
                weights=weights,
                ranking=ranking(weights, decisions, self._roles),
                skips=most_skips(architecture, self._roles),
                eigenvalue=eigenvalue,
            )
            self._history.append(seen)
        return Signs(
            entropy=entropy(weights),
            skips=skip_shares(weights, decisions, self._roles, null=self._null),
            gap=gap,
            eigenvalue=eigenvalue,
            watch_seconds=seconds,
        )

    @property
    def taken(self) -> Seen | None:
        """The epoch whose weights are the answer, where the search is to be stopped."""
        epoch = epoch_to_take(self._rule, self._history)
        return next((seen for seen in self._history if seen.epoch == epoch), None)

    def state(self) -> dict[str, Any]:
        """All that later epochs ask for."""
        history = [asdict(seen) for seen in self._history]
        return {"direction": self._direction, "history": history}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._direction.copy_(state["direction"])
        self._history = [Seen(**seen) for seen in state["history"]]

    def _gap(self, architecture: Architecture, moment: Moment) -> float:
        bilevel = self._bilevel
        torch.manual_seed(_SEED)
        mixture = bilevel.mixture(bilevel.alpha().detach(), moment)
        mixed = mixture_accuracy(bilevel.fabric, bilevel.network, mixture, self._batches)
        alone = one_shot_accuracy(bilevel.fabric, bilevel.network, architecture, self._batches)
        return mixed - alone

    def _eigenvalue(self) -> float | None:
        """Of the loss on half a batch, in full precision: so much memory the search has, too."""
        images, labels = self._batches[0]
        half = max(2, len(labels) // 2)
        batch = images[:half], labels[:half]
        centre = parameters_to_vector(self._bilevel.alpha.parameters()).detach()

        def product(direction: Tensor) -> Tensor:
            ahead = self._gradient(centre + _REACH * direction, batch)
            return (ahead - self._gradient(centre - _REACH * direction, batch)) / (2 * _REACH)

        value, direction = largest_eigenvalue(product, self._direction, _PRODUCTS)
        if not math.isfinite(value):
            return None
        self._direction = direction
        return value

    def _gradient(self, point: Tensor, batch: Batch) -> Tensor:
        """Of the loss [N], with alpha at `point` [N] and every candidate at its expected weight."""
        bilevel, images, labels = self._bilevel, *batch
        point = point.requires_grad_()
        shapes = {name: p.shape for name, p in bilevel.alpha.named_parameters()}
        parts = point.split([shape.numel() for shape in shapes.values()])
        values = {n: part.view(shapes[n]) for n, part in zip(shapes, parts, strict=True)}
        logits: Logits = functional_call(bilevel.alpha, values, ())
        mixture = Mixture.from_weights(bilevel.method.strengths(logits.candidates))
        if logits.presence is not None:
            mixture = mixture.times(logits.presence)
        scores, _ = bilevel.network(images, mixture)
        (gradient,) = torch.autograd.grad(functional.cross_entropy(scores, labels), point)
        average_over_processes(bilevel.fabric, [gradient])
        return gradient


@contextmanager
def undisturbed(bilevel: Bilevel) -> Generator[None]:
    """Compute with a search, and leave its statistics and the random state as they are."""
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
