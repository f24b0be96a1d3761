"""What a pruning comes to."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archwright.cost import graph_cost
from archwright.engine.scores import row_to_json, rows_from_json
from archwright.graph import Architecture
from archwright.io.typed import read_dataclass, read_fields, result_of
from archwright.spaces import Size, Space, write_architecture
from archwright.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Row of the table: a network, its cost, and the task's metric on the test images."""

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    scores: dict[str, float]

    @property
    def score(self) -> float:
        """The metric that networks are ranked by."""
        return next(iter(self.scores.values()))

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON has it, the metric under its own key."""
        return row_to_json(self)


def measured(
    name: str, space: Space, architecture: Architecture, size: Size, score: float
) -> Measured:
    """The row of an architecture at a size, its cost as `inspect` says it."""
    cost = graph_cost(space.discrete(architecture, size))
    return Measured(
        name=name,
        architecture=write_architecture(architecture),
        channels=size.channels,
        params=cost.params,
        macs=cost.macs,
        scores={space.task.metric.key: round(score, 4)},
    )


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """The network before and after; scores are the task's metric on the test images.

    Attributes:
        architecture: what is left, as text.
        nodes_deleted: how many, over all cells.
        metric: the metric's key, under which scores are written: `top1_before` and so on.
        score_pruned: right after nodes were deleted and fusions fitted, before the fine-tuning.
        counted_at: the size of the network, which costs are counted and measured at.
        latency_ms_before: as it was measured; None where there is no target for it.
        rows: the pruned network, and the unpruned one.
    """

    architecture: str
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
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
        """Return the result as the log has it."""
        content = {**asdict(self), "out": str(self.out)}
        del content["metric"]
        keys = {f"score_{when}": f"{self.metric}_{when}" for when in _SCORED}
        renamed = {keys.get(name, name): value for name, value in content.items()}
        return {**renamed, "rows": [row.to_json() for row in self.rows]}

    @classmethod
    def from_json(cls, content: dict[str, Any], task: Task) -> "PruneResult":
        """Return the result that `to_json` wrote, for that task; further fields are ignored.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where, key = result_of(content["out"]), task.metric.key
        scores = read_fields({f"{key}_{when}": float for when in _SCORED}, content, where)
        given = {f"score_{when}": scores[f"{key}_{when}"] for when in _SCORED}
        rows = rows_from_json(content, [task.metric], where)
        return read_dataclass(cls, {**content, **given, "metric": key, "rows": rows}, where)


_SCORED = ("before", "pruned", "after")
