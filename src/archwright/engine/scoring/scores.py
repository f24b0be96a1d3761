"""Rows of results: networks with the metrics of a task, each under the metric's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from archwright.errors import RunError
from archwright.io.schema import RESTORE, read_as
from archwright.tasks import Metric


class Scored(Protocol):
    """A row (a dataclass) with the field `scores`, and `best` if it knows the best epoch."""

    @property
    def scores(self) -> Mapping[str, float]:
        """Metrics by key, the one that networks are ranked by first."""
        ...


def row_to_json(row: Any) -> dict[str, Any]:
    """Return a `Scored` row as JSON has it: `top1`, `top5` and `best_top1` of a classifier."""
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
