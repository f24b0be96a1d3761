"""Measurements of a comparison of prunings, a row a network, and their summary."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from archwright.bench.engine.results import Results
from archwright.bench.engine.statistics import Spread
from archwright.bench.pruning.config import FRESH, ONE_GO, WHOLE
from archwright.errors import RunError


@dataclass(frozen=True, kw_only=True)
class PrunedRow:
    """Pruned network, before and after its fine-tuning; accuracies are in percent of test images.

    Attributes:
        method: the pruning method; `unpruned` is the whole network, trained on as the others are.
        fusion: the replacement of its deleted nodes; None if none was deleted.
        target: the fraction of multiply-accumulates that may be left.
        cut: the removed parts, as text.
        macs, params: of the part that the logits depend on.
        top1_before: of the trained network that it was made from.
        top1_pruned: before the fine-tuning, with new statistics; None of a fresh network.
        top1: at the end.
        seconds: wall time of making, fine-tuning and scoring it, interruptions left out.
        latency: by number of images, its time and that of the unpruned network.
        gates: the smallest and the largest learned gate, if gates ranked the nodes.
    """

    method: str
    fusion: str | None
    seed: int
    target: float
    cut: str
    macs: int
    params: int
    macs_before: int
    params_before: int
    top1_before: float
    top1_pruned: float | None
    top1: float
    seconds: float
    latency: list[dict[str, float]] | None = None
    gates: list[float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return asdict(self)

    @property
    def key(self) -> tuple[str, str | None, float, int]:
        """Return the identity of the row among the others."""
        return self.method, self.fusion, self.target, self.seed


def parse_rows(path: Path, results: Results) -> list[PrunedRow]:
    """Parse the rows of the results in `path`.

    Raises:
        RunError: it holds results of another bench.
    """
    try:
        return [PrunedRow(**row) for row in results.rows]
    except TypeError:
        raise RunError(f"{path} holds no prunings: give another --out") from None


@dataclass(frozen=True, kw_only=True)
class PruningSummary:
    """Summary of a pruning method, to a target, over its seeds.

    Attributes:
        n: seeds.
        macs, params: fractions that are left.
        top1_pruned: before the fine-tuning; None of fresh networks.
        drop: points lost against the trained network, seed by seed.
        behind: points behind the whole network trained alike, seed by seed: behind `whole` if it
            was trained from fresh weights in one go, else behind `unpruned`; None if that was
            not measured for every seed.
        time: by number of images, the fraction of the unpruned network's time that is left.
    """

    method: str
    fusion: str | None
    target: float
    n: int
    macs: float
    params: float
    top1_pruned: Spread | None
    top1: Spread
    drop: Spread
    behind: Spread | None
    time: dict[int, Spread]


def summarise_prunings(rows: Iterable[PrunedRow]) -> list[PruningSummary]:
    """Return a summary for each method and target, by target, the unpruned network first."""
    held = list(rows)
    whole = {(row.method, row.seed): row.top1 for row in held if row.method in (WHOLE, ONE_GO)}
    groups: dict[tuple[float, str, str | None], list[PrunedRow]] = {}
    for row in held:
        groups.setdefault((row.target, row.method, row.fusion), []).append(row)
    order = sorted(groups, key=lambda key: -key[0])  # stable: methods as they first appear
    return [_summary(groups[key], whole) for key in order]


def _summary(own: Sequence[PrunedRow], whole: dict[tuple[str, int], float]) -> PruningSummary:
    first = own[0]
    like = ONE_GO if first.method in FRESH else WHOLE
    pruned = [row.top1_pruned for row in own if row.top1_pruned is not None]
    behind = [whole[like, row.seed] - row.top1 for row in own if (like, row.seed) in whole]
    return PruningSummary(
        method=first.method,
        fusion=first.fusion,
        target=first.target,
        n=len(own),
        macs=mean(row.macs / row.macs_before for row in own),
        params=mean(row.params / row.params_before for row in own),
        top1_pruned=Spread.of(pruned) if len(pruned) == len(own) else None,
        top1=Spread.of([row.top1 for row in own]),
        drop=Spread.of([row.top1_before - row.top1 for row in own]),
        behind=Spread.of(behind) if len(behind) == len(own) else None,
        time=_times(own),
    )


def _times(own: Sequence[PrunedRow]) -> dict[int, Spread]:
    found: dict[int, list[float]] = {}
    for row in own:
        for timed in row.latency or []:
            found.setdefault(int(timed["batch"]), []).append(timed["time_ratio"])
    return {batch: Spread.of(ratios) for batch, ratios in sorted(found.items())}
