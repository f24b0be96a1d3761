"""What a build comes to."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from archwright.engine.scores import rows_from_json
from archwright.io.typed import read_dataclass, result_of
from archwright.pruning.result import Measured
from archwright.spaces import Size
from archwright.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A budget beside what the final network costs, in the unit of the cost's name.

    `predicted` is what the search reckoned with, before anything was pruned; `measured` says
    whether `value` was measured on the exported file, else it is counted or predicted.
    """

    cost: str
    limit: float
    predicted: float
    value: float
    measured: bool

    @property
    def holds(self) -> bool:
        """Whether the final network is within the budget."""
        return self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Every field, and whether it holds."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage that was finished, and the seconds that it took, interruptions left out."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """The final network, as it stands in its file.

    Attributes:
        architecture: as text.
        top1: percent of test images that the exported file gets right.
        latency_ms: median for one image, on one thread of this machine's CPU, of the file;
            `latency_spread_ms` is between which quarters of all times half of them lie.
        feasible: whether every budget holds for it; None: there are none.
        counted_at: the size of the final network, which all of it is counted and measured at.
        rows: the network as the search left it, then each that was trained, the final one last of
            those that were built.
    """

    architecture: str
    top1: float
    macs: int
    params: int
    latency_ms: float
    latency_spread_ms: float
    feasible: bool | None
    budgets: tuple[Verdict, ...]
    counted_at: Size
    file: Path
    report: Path
    rows: tuple[Measured, ...]
    stages: tuple[Stage, ...]
    seconds: float
    out: Path

    def to_json(self) -> dict[str, Any]:
        """The result as a machine reads it."""
        paths = {name: str(getattr(self, name)) for name in ("file", "report", "out")}
        budgets = [budget.to_json() for budget in self.budgets]
        rows, stages = [row.to_json() for row in self.rows], [asdict(one) for one in self.stages]
        return {**asdict(self), **paths, "rows": rows, "stages": stages, "budgets": budgets}

    @classmethod
    def from_json(cls, content: dict[str, Any], out: Path, task: Task) -> "BuildResult":
        """Return the result that `to_json` wrote, of a build for that task that is now at `out`.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where = result_of(str(out))
        rows = rows_from_json(content, [task.metric], where)
        held = read_dataclass(cls, {**content, "out": str(out), "rows": rows}, where)
        return replace(held, file=out / held.file.name, report=out / held.report.name)
