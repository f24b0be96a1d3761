"""`archwright bench budgets`."""

from typing import TYPE_CHECKING, Any

from archwright.bench.budgets_config import BudgetsConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.budgets import Case
    from archwright.bench.results import Results

_Done = tuple[BudgetsConfig, "Results", "tuple[Case, ...]"]


def _run(config: BudgetsConfig) -> _Done:
    from archwright.bench.budgets import bench_budgets

    return config, *bench_budgets(config)


def _show(done: _Done, show: Show) -> dict[str, Any]:
    from dataclasses import asdict

    from archwright.bench.budgets import judged, mean_regrets, unprojected
    from archwright.bench.budgets_known import SIZE
    from archwright.bench.budgets_table import budgets_overview, budgets_table

    config, results, cases = done
    outcomes = [judged(case) for case in cases]
    how = "a search for each case" if config.separate else "one search a seed for all budgets"
    how = "no search: alpha is untrained" if config.untrained else how
    show.line(f"{config.method}, preset {config.preset}, {how}, {results.hardware}")
    show.line(f"latencies and sizes are those of {SIZE.text}")
    show.line("regret: points of test accuracy behind the best of the table within the budget")
    table = budgets_table(outcomes)
    show.table(table.columns, table.rows, texts=table.texts)
    table = budgets_overview([(results, outcomes)])
    show.table(table.columns, table.rows, texts=table.texts)
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "cases": [outcome.to_json() for outcome in outcomes],
        "mean_regrets": mean_regrets(outcomes),
        "all_feasible": all(outcome.feasible for outcome in outcomes),
        "feasible_before_projection": [one.feasible for one in unprojected(outcomes)],
        "counted_at": asdict(SIZE),
    }


command = Command(name="bench budgets", config=BudgetsConfig, run=_run, show=_show)
