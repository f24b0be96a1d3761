"""How near predicted latencies are to measured ones, as tables."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from archwright.bench.markdown import conditions, table_text
from archwright.bench.pages import page
from archwright.bench.profile import Agreement
from archwright.bench.results import Results, read_results
from archwright.bench.tabulate import Table


def predictor_table(results: Results) -> Table:
    """A row a device: means over seeds, and the worst of the correlations."""
    columns = (
        *("device", "n", "Spearman", "worst", "additive", "median error %", "margin ms"),
        *("beyond bound %", "chosen over budget %", "without margin %", "fit s"),
    )
    rows: list[tuple[str, ...]] = []
    for device in dict.fromkeys(row["device"] for row in results.rows):
        own = [row for row in results.rows if row["device"] == device]
        budgets = [budget for row in own for budget in row["budgets"]]

        def average(name: str, own: list[dict[str, float]] = own) -> float:
            return mean(row[name] for row in own)

        rows.append(
            (
                device,
                str(len(own)),
                f"{average('spearman'):.4f}",
                f"{min(row['spearman'] for row in own):.4f}",
                f"{average('additive_spearman'):.4f}",
                f"{100 * average('median_error'):.2f}",
                f"{average('margin_ms'):.3g}",
                f"{100 * average('beyond_bound'):.1f}",
                f"{100 * average('over', budgets):.2f}",
                f"{100 * average('over_without_margin', budgets):.2f}",
                f"{average('fit_seconds'):.1f}",
            )
        )
    return Table(columns, rows, texts=1)


def predictor(folder: Path) -> str:
    """What the documentation says of predicted latencies, in Markdown."""
    return page(folder / "predictor.json", predictor_table)


def profiles_table(runs: Sequence[Results]) -> Table:
    """A row for each time that a table was measured, and networks after it."""
    columns = ("run", "networks", "Spearman", "median error %", "measured / predicted")
    rows: list[tuple[str, ...]] = []
    for number, results in enumerate(runs, 1):
        found = Agreement.of(results)
        error, left = (f"{100 * share:.1f}" for share in (found.error, found.error_left))
        numbers = (f"{found.spearman:.3f}", error, f"{found.factor:.2f}", left)
        rows.append((str(number), str(len(results.rows)), *numbers))
    return Table((*columns, "median error but for that, %"), rows, texts=1)


def profiles(folder: Path) -> str:
    """How far networks are from profiled tables: each `profile-*.json`, in Markdown."""
    runs = [read_results(path) for path in sorted(folder.glob("profile-*.json"))]
    if not runs:
        return ""
    first = runs[0]
    how = conditions(first, first.settings["runtime"])
    return f"{how}\n\n{table_text(profiles_table(runs))}"
