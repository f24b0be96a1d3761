"""Recipe: the settings of a bilevel search; each method publishes its own."""

from dataclasses import dataclass, replace
from typing import Literal

from archwright.engine.options import require, require_schedule
from archwright.engine.schedule import cosine

Estimator = Literal["soft", "straight-through", "reinmax", "rao"]
"""Gradient estimator of the samples of diffgraph (see `nas.parameters.estimators`)."""
Derivation = Literal["flat", "nested"]
"""Ranking of candidates: each alone, or sharing groups first (see `nas.parameters.ranking`)."""
Unroll = Literal["finite", "exact"]
"""Computation of the second-order gradient: finite differences, or differentiating twice."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Training of weights and alpha. Learning rates fall by half a cosine over the whole search.

    `alpha_first` is the order within a step; alpha learns from epoch `alpha_start` on, and the
    weights' rate rises from zero over the first `warmup_epochs`. Alpha's rate stays as it is, or
    falls to `alpha_lr_min` by half a cosine from alpha's first epoch on.
    """

    epochs: int
    batch_size: int
    lr: float
    lr_min: float
    momentum: float
    nesterov: bool
    weight_decay: float
    clip: float
    warmup_epochs: float
    alpha_lr: float
    alpha_betas: tuple[float, float]
    alpha_weight_decay: float
    alpha_init: float
    alpha_start: int
    alpha_first: bool
    alpha_lr_min: float | None = None

    def __post_init__(self) -> None:
        """Check the combination of settings.

        Raises:
            ConfigError: two contradict each other (both are named).
        """
        require_schedule(self.lr, self.lr_min, self.epochs, self.warmup_epochs)
        require(
            self.alpha_start < self.epochs,
            f"--alpha-start {self.alpha_start} must be below --epochs {self.epochs}, "
            f"or alpha never learns",
        )
        require(
            self.alpha_lr_min is None or self.alpha_lr_min <= self.alpha_lr,
            f"--alpha-lr-min {self.alpha_lr_min} must not be above --alpha-lr {self.alpha_lr:g}",
        )

    def alpha_rate(self, fraction: float) -> float:
        """Return alpha's rate relative to its first one, at a `fraction` (0 to 1) of the steps."""
        if self.alpha_lr_min is None:
            return 1.0
        start = self.alpha_start / self.epochs
        along = max(0.0, fraction - start) / (1.0 - start)
        return cosine(along, 1.0, self.alpha_lr_min / self.alpha_lr)

    def of_epochs(self, epochs: int) -> "Recipe":
        """Return the recipe over `epochs` epochs, with alpha's start and the warmup scaled.

        Without it a short search would end before alpha starts.
        """
        return replace(
            self,
            epochs=epochs,
            alpha_start=at_share(self.alpha_start, self.epochs, epochs),
            warmup_epochs=self.warmup_epochs * epochs / self.epochs,
        )


def at_share(epoch: int, whole: int, epochs: int) -> int:
    """Return the epoch of `epochs` that corresponds to `epoch` of `whole`, rounded down."""
    return epoch * epochs // whole


def require_annealing(tau: float, tau_min: float) -> None:
    """Check that a temperature can fall from `tau` to `tau_min`.

    Raises:
        ConfigError: it cannot (the flags are named).
    """
    require(tau_min <= tau, f"--tau-min {tau_min:g} must not be above --tau {tau:g}")
