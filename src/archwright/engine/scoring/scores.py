"""Rows of results: networks with the metrics of a task, each under the metric's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archwright.errors import RunError
from archwright.io.schema import RESTORE, read_as
from archwright.tasks import Metric


@dataclass(frozen=True, kw_only=True)
class ScoredNetwork:
    """Row of a result: a network, its cost, and the task's metrics on the test images.

    `published_params` and `published_macs` are counts of its architecture as published, which
    differ if weights are inherited.

    Attributes:
        scores: metrics by key, the ranking metric first.
    """

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    published_params: int
    published_macs: int
    scores: dict[str, float]

    @property
    def score(self) -> float:
        """Value of the ranking metric."""
        return next(iter(self.scores.values()))


def row_to_json(row: Any) -> dict[str, Any]:
    """Return a row as JSON, each score under its metric's key: `top1`, `top5` and `best_top1`."""
    content = asdict(row)
    scores: dict[str, float] = content.pop("scores")
    best = {f"best_{next(iter(scores))}": content.pop("best")} if "best" in content else {}
    return {**content, **scores, **best}


def rows_from_json(
    content: Mapping[str, Any], metrics: Sequence[Metric], where: str, *, best: bool = False
) -> list[dict[str, Any]]:
    """Return the fields of the rows of a result, `scores` (and `best`) among them.

    Raises:
        RunError: there are no rows, or a metric of one is missing or no number.
    """
    rows = read_as(_Rows, content, where).rows
    return [
        _row(row, metrics, f"{where}: rows {number}", best) for number, row in enumerate(rows, 1)
    ]


def score_of(content: Mapping[str, Any], key: str, where: str) -> float:
    """Return the number under a metric's key.

    Raises:
        RunError: it is missing, or no finite number.
    """
    if key not in content:
        raise RunError(f"{where} lacks its {key}: {RESTORE}")
    return read_as(float, content[key], f"{where}: {key}")


@dataclass(frozen=True)
class _Rows:
    """Rows of a result, not yet read."""

    rows: tuple[dict[str, Any], ...]


def _row(
    content: Mapping[str, Any], metrics: Sequence[Metric], where: str, best: bool
) -> dict[str, Any]:
    scores = {metric.key: score_of(content, metric.key, where) for metric in metrics}
    if not best:
        return {**content, "scores": scores}
    return {**content, "scores": scores, "best": score_of(content, f"best_{metrics[0].key}", where)}
