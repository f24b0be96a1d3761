"""Rows of results: networks with the metrics of a task, each under the metric's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from archwright.io.typed import read_fields
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
    rows = read_fields({"rows": list[Any]}, dict(content), where)["rows"]
    return [
        _row(row, metrics, f"{where}: rows {number}", best) for number, row in enumerate(rows, 1)
    ]


def _row(content: Any, metrics: Sequence[Metric], where: str, best: bool) -> dict[str, Any]:
    keys = [metric.key for metric in metrics]
    key = f"best_{keys[0]}"
    found = read_fields(dict.fromkeys([*keys, key] if best else keys, float), content, where)
    scores = {name: found[name] for name in keys}
    return {**content, "scores": scores, **({"best": found[key]} if best else {})}
