"""`archwright bench budgets`: how the study runs, and how its results are shown."""

from typing import TYPE_CHECKING, Any

from archwright.bench.budgets.config import BudgetsConfig
from archwright.bench.engine.study import Console, Study, show_conditions, show_table

if TYPE_CHECKING:
    from archwright.bench.budgets.cases import Cases


def _run(config: BudgetsConfig) -> "Cases":
    from archwright.bench.budgets.run import bench_budgets

    return bench_budgets(config)


def _show(config: BudgetsConfig, results: "Cases", console: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from archwright.bench.budgets.cases import mean_regrets, score_argmax, score_case
    from archwright.bench.budgets.published import SIZE
    from archwright.bench.budgets.tables import budgets_overview, budgets_table

    outcomes = [score_case(case) for case in results.rows]
    how = "a search for each case" if config.separate else "one search a seed for all budgets"
    how = "no search: alpha is untrained" if config.untrained else how
    console.line(f"{config.method}, preset {config.preset}, {how}, {results.hardware}")
    console.line(f"latencies and sizes are those of {SIZE.text}")
    console.line("regret: points of test accuracy behind the best of the table within the budget")
    show_table(console, budgets_table(outcomes))
    show_table(console, budgets_overview([(results, outcomes)]))
    return {
        **show_conditions(console, results, config.file),
        "cases": [outcome.to_json() for outcome in outcomes],
        "mean_regrets": mean_regrets(outcomes),
        "all_feasible": all(outcome.feasible for outcome in outcomes),
        "feasible_before_projection": [one.feasible for one in score_argmax(outcomes)],
        "counted_at": asdict(SIZE),
    }


STUDY = Study(config=BudgetsConfig, run=_run, show=_show)
