"""Log lines that a report reads: the fields of each event and their types.

Whole numbers are floats, too: a report only prints them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from archwright.spaces import Size
from archwright.tasks import Metric

Scores = dict[str, float | None]
"""Metrics of the task by key (of an epoch: by split and key, `valid_top1`), see `with_scores`."""
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Event:
    """Kind of a line."""

    event: str | None = None


@dataclass(frozen=True)
class Start:
    """Start of a run, or of its continuation."""

    decisions: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    params: float | None = None
    versions: dict[str, Any] = field(default_factory=dict[str, Any])
    hardware: str | None = None


@dataclass(frozen=True)
class Metrics:
    """Measurements that an epoch of every task may log; nats, seconds."""

    train_loss: float | None = None
    valid_loss: float | None = None
    test_loss: float | None = None
    lr: float | None = None
    entropy: float | None = None
    gap: float | None = None
    eigenvalue: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Epoch(Metrics):
    """End of an epoch of the network `name`; see `read_run.Epoch`."""

    epoch: int
    name: str = ""
    scores: Scores = field(default_factory=dict[str, float | None])
    alpha: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    skips: dict[str, float | None] = field(default_factory=dict[str, float | None])
    gates: dict[str, float | None] = field(default_factory=dict[str, float | None])

    @property
    def metrics(self) -> dict[str, float]:
        """Logged metrics by name."""
        return known(
            {each.name: getattr(self, each.name) for each in fields(Metrics)} | self.scores
        )


@dataclass(frozen=True)
class Stop:
    """Early stop: the rule, and the epoch (from 0) whose alpha was taken."""

    rule: str
    taken: int


@dataclass(frozen=True)
class Supernet:
    """Finished supernet of an ensemble."""

    number: int
    seed: int
    architecture: str


@dataclass(frozen=True)
class Export:
    """Exported file of the run's network, and its measurements."""

    file: str
    format: str
    weights: str
    bytes: float | None = None
    scores: Scores = field(default_factory=dict[str, float | None])
    latency_ms: float | None = None
    latency_spread_ms: float | None = None
    runtime: str = ""
    batch_size: float | None = None
    threads: float | None = None


@dataclass(frozen=True)
class Pruned:
    """Nodes that a pruning deleted, by cell, and the kind of each cell.

    `scores` are measured before the fine-tuning.
    """

    deleted: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    scores: Scores = field(default_factory=dict[str, float | None])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of a network."""

    architecture: str | None = None
    channels: float | None = None
    params: float | None = None
    macs: float | None = None
    accuracy: float | None = None
    scores: Scores = field(default_factory=dict[str, float | None])


@dataclass(frozen=True, kw_only=True)
class Row(Measured):
    """Network of a table of results."""

    name: str


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """Point of a Pareto front."""

    costs: dict[str, float | None] = field(default_factory=dict[str, float | None])
    accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result(Measured):
    """End of a run; `counted_at` is the size at which costs are counted."""

    rows: tuple[Row, ...] = ()
    seconds: float | None = None
    front: tuple[FrontPoint, ...] = ()
    costs: dict[str, float | None] = field(default_factory=dict[str, float | None])
    limits: dict[str, float | None] = field(default_factory=dict[str, float | None])
    counted_at: Size | None = None


EVENTS: Mapping[str | None, type[Any]] = {
    "start": Start,
    "epoch": Epoch,
    "stop": Stop,
    "supernet": Supernet,
    "export": Export,
    "pruned": Pruned,
    "result": Result,
}


def with_scores(line: object, metrics: Sequence[Metric]) -> object:
    """Return the line, and the rows in it, with the numbers of these metrics under `scores`.

    A log has each under the metric's own key.
    """
    if not isinstance(line, dict):
        return line
    content = cast("dict[str, object]", line)
    keys = [metric.key for metric in metrics]
    names = [*keys, *(f"{split}_{key}" for split in SPLITS for key in keys)]
    scores = {name: content[name] for name in names if name in content}
    rows = content.get("rows")
    if isinstance(rows, list):
        each = [with_scores(row, metrics) for row in cast("list[object]", rows)]
        content = {**content, "rows": each}
    return {**content, "scores": scores}


def known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Return the numbers that are not None."""
    return {name: value for name, value in numbers.items() if value is not None}
