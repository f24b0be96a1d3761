"""Result of a build."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archwright.engine.scoring.scores import rows_from_json, score_of
from archwright.io.schema import read_as, result_of, to_json
from archwright.pruning.result import Measured
from archwright.report.budgets import BudgetCheck
from archwright.spaces import Size
from archwright.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Finished stage, with its seconds, interruptions left out."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """Final network, as it is in its file.

    Attributes:
        architecture: as text.
        metric: the key of the task's metric, under which JSON has the score.
        score: the task's metric of the exported file on the test images.
        latency_ms: median of the file for one image, on one CPU thread of this machine;
            `latency_spread_ms` is the interquartile range of the times.
        feasible: whether every budget holds; None: there are none.
        counted_at: the size of the final network, at which everything is counted and measured.
        rows: the network as the search left it, then each trained network, the final one last of
            the stages.
    """

    architecture: str
    metric: str
    score: float
    macs: int
    params: int
    latency_ms: float
    latency_spread_ms: float
    feasible: bool | None
    budgets: tuple[BudgetCheck, ...]
    counted_at: Size
    file: Path
    report: Path
    rows: tuple[Measured, ...]
    stages: tuple[Stage, ...]
    seconds: float
    out: Path

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        content = to_json(self)
        del content["metric"]
        return {
            **{self.metric if name == "score" else name: value for name, value in content.items()},
            "rows": [row.to_json() for row in self.rows],
            "budgets": [budget.to_json() for budget in self.budgets],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], out: Path, task: Task) -> "BuildResult":
        """Return the inverse of `to_json` for a build for that task that is now at `out`.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where, key = result_of(str(out)), task.metric.key
        rows = rows_from_json(content, [task.metric], where)
        given = {"metric": key, "score": score_of(content, key, where), "out": str(out)}
        held = read_as(cls, {**content, **given, "rows": rows}, where)
        return replace(held, file=out / held.file.name, report=out / held.report.name)
