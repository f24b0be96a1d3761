"""`archwright build`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, decimals
from archwright.pipeline.config import BuildConfig

if TYPE_CHECKING:
    from archwright.pipeline.result import BuildResult
    from archwright.report.budgets import BudgetCheck


def _run(config: BuildConfig) -> "BuildResult":
    from archwright.pipeline.run import build

    return build(config)


def _show(result: "BuildResult", show: Show) -> dict[str, Any]:
    from archwright.engine.runs.folder import RunFolder
    from archwright.tasks import find_metric

    metric = find_metric(result.metric)
    show.networks(result.rows)
    if result.budgets:
        show.table(
            ("budget", "limit", "predicted", "final network", "met"),
            [_judged(budget) for budget in result.budgets],
        )
    show.line(f"the file is counted and measured at {result.counted_at.text}")
    show.line(
        f"latency: {decimals(result.latency_ms, 3)} ms, spread "
        f"{decimals(result.latency_spread_ms, 3)} ms (one image, one thread of this machine); "
        f"{metric.label} of the file: {metric.text(result.score, 2)}"
    )
    if result.feasible is False:
        over = " and ".join(budget.cost for budget in result.budgets if not budget.holds)
        show.line(
            f"NOT within the budgets: {over}; build with a smaller limit, or prune to less (what "
            f"was measured while the machine was busy, archwright export measures again)"
        )
    show.line(f"report: {result.report}")
    show.line(f"exported: {result.file}")
    return {**result.to_json(), "data_summary": RunFolder(result.out).data_summary()}


def _judged(budget: "BudgetCheck") -> tuple[str, ...]:
    numbers = (f"{number:,.6g}" for number in (budget.limit, budget.predicted, budget.value))
    return (budget.cost, *numbers, "yes" if budget.holds else "no")


command = Command(name="build", config=BuildConfig, run=_run, show=_show)
