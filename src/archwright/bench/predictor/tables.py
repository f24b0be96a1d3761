"""Table of predicted latencies."""

from statistics import mean

from archwright.bench.engine.results import Results
from archwright.bench.engine.table import Table


def predictor_table(results: Results) -> Table:
    """Return a row a device: means over seeds, and the worst of the correlations."""
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
