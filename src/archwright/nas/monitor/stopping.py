"""Early stopping of a search, by records of the end of each epoch.

A rule is a function of the records so far, so that a resumed search stops in the same epoch as an
uninterrupted one. It returns the epoch whose alpha is used, or None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal

StopRule = Literal["none", "skips", "stable", "eigenvalue"]
"""Rule that stops a search."""

_SKIPS = 2
"""Number of skips in one normal cell that stops a search (DARTS+, criterion 1)."""
_STABLE = 10
"""Epochs without a change after which a ranking counts as stable (DARTS+, criterion 2)."""
_WINDOW = 5
"""Epochs over which the eigenvalue is averaged, and between the two averages compared."""
_RISE = 0.75
"""Ratio of the earlier to the later average, below which the curvature rises too fast."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """Record of the end of an epoch in which alpha learned.

    Attributes:
        epoch: from 0.
        weights: the ranking scores of candidates, a list for each decision.
        ranking: the candidates with weights of each decision, the strongest first.
        skips: the largest number of skips in one normal cell.
        eigenvalue: largest eigenvalue of the validation Hessian in alpha; None: not measured.
    """

    epoch: int
    weights: Mapping[str, Sequence[float]]
    ranking: Mapping[str, Sequence[str]]
    skips: int
    eigenvalue: float | None


def selected_epoch(rule: StopRule, history: Sequence[EpochRecord]) -> int | None:
    """Return the epoch whose alpha is used if the search stops after `history`; else None."""
    return _RULES[rule](history)


def epochs_needed(rule: StopRule) -> int:
    """Return the number of epochs in which alpha must learn before the rule can stop."""
    return {"none": 0, "skips": 1, "stable": _STABLE + 1, "eigenvalue": 2 * _WINDOW}[rule]


def _skips(history: Sequence[EpochRecord]) -> int | None:
    """Stop at two skips in a normal cell; use the epoch before (Liang et al., DARTS+, 2019)."""
    if not history or history[-1].skips < _SKIPS:
        return None
    return history[max(0, len(history) - 2)].epoch


def _stable(history: Sequence[EpochRecord]) -> int | None:
    """Stop when the ranking of learned candidates is stable (Liang et al., DARTS+, 2019)."""
    recent = history[-1 - _STABLE :]
    settled = all(one.ranking == other.ranking for one, other in pairwise(recent))
    return history[-1].epoch if len(recent) > _STABLE and settled else None


def _eigenvalue(history: Sequence[EpochRecord]) -> int | None:
    """Stop when the curvature of alpha's loss rises (Zela et al., ICLR 2020, section 4.3)."""
    recent = [seen.eigenvalue for seen in history[-2 * _WINDOW :] if seen.eigenvalue is not None]
    if len(recent) < 2 * _WINDOW:
        return None
    before, now = fmean(recent[:_WINDOW]), fmean(recent[_WINDOW:])
    return history[-1 - _WINDOW].epoch if 0 < before < _RISE * now else None


_RULES: dict[str, Callable[[Sequence[EpochRecord]], int | None]] = {
    "none": lambda history: None,
    "skips": _skips,
    "stable": _stable,
    "eigenvalue": _eigenvalue,
}
