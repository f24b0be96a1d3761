"""Result of a pruning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.engine.networks.trained import TrainedNetwork
from archwright.engine.scoring.scores import ScoredNetwork, row_to_json, rows_from_json, score_of
from archwright.io.schema import read_as, result_of, to_json
from archwright.spaces import Size, write_architecture
from archwright.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Measured(ScoredNetwork):
    """Row of the table: a network with its ranking score on the test images."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON, with the metric under its own key."""
        return row_to_json(self)


def measured(name: str, one: TrainedNetwork, score: float) -> Measured:
    """Return the row of a network."""
    cost, published = one.cost, one.published_cost
    return Measured(
        name=name,
        architecture=write_architecture(one.architecture),
        channels=one.size.channels,
        params=cost.params,
        macs=cost.macs,
        published_params=published.params,
        published_macs=published.macs,
        scores={one.space.task.metric.key: round(score, 4)},
    )


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """Network before and after; scores are the task's metric on the test images.

    Attributes:
        architecture: the pruned architecture, as text.
        published_params: parameters of that architecture, as published; `published_macs` alike.
        nodes_deleted: number of deleted nodes, over all cells.
        metric: the metric's key, under which scores are written: `top1_before` and so on.
        score_pruned: after nodes were deleted and fusions fitted, before the fine-tuning.
        counted_at: the size of the network at which costs are counted and measured.
        latency_ms_before: measured latency; None if there is no latency target.
        rows: the pruned network, and the unpruned one.
    """

    architecture: str
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    published_params: int
    published_macs: int
    nodes_deleted: int
    counted_at: Size
    metric: str
    score_before: float
    score_pruned: float
    score_after: float
    latency_ms_before: float | None
    latency_ms_after: float | None
    seconds: float
    out: Path
    rows: tuple[Measured, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the result as it is written to the log."""
        content = to_json(self)
        del content["metric"]
        keys = {f"score_{when}": f"{self.metric}_{when}" for when in _SCORED}
        renamed = {keys.get(name, name): value for name, value in content.items()}
        return {**renamed, "rows": [row.to_json() for row in self.rows]}

    @classmethod
    def from_json(cls, content: dict[str, Any], task: Task) -> "PruneResult":
        """Invert `to_json` for that task; further fields are ignored.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where, key = result_of(content["out"]), task.metric.key
        given = {f"score_{when}": score_of(content, f"{key}_{when}", where) for when in _SCORED}
        rows = rows_from_json(content, [task.metric], where)
        return read_as(cls, {**content, **given, "metric": key, "rows": rows}, where)


_SCORED = ("before", "pruned", "after")
