"""The table of searches within budgets, as text: for a terminal and for the documentation alike."""

from collections.abc import Sequence
from pathlib import Path

from archwright.bench.budgets import (
    Outcome,
    drawn_regrets,
    judged,
    mean_regrets,
    read_cases,
)
from archwright.bench.pages import markdown
from archwright.bench.tabulate import NOTHING, TITLES, Table, number


def budgets_table(outcomes: Sequence[Outcome]) -> Table:
    """A row a case, then the means: regret in points, with the best that there is behind it.

    The last row is what architectures drawn at random within the same budgets are expected to lose.
    """
    columns = ("device", "seed", "percentile", "budget ms", "found ms", "within")
    rows = [
        (
            outcome.case.device,
            str(outcome.case.seed),
            f"{outcome.case.percentile:g}",
            *(f"{outcome.case.budget_ms:.4g}", _milliseconds(outcome.latency_ms)),
            "yes" if outcome.feasible else "no",
            *(f"{outcome.regrets[name]:.2f} of {outcome.best[name]:.2f}" for name in TITLES),
        )
        for outcome in outcomes
    ]
    means = mean_regrets(outcomes)
    within = f"{sum(outcome.feasible for outcome in outcomes)} of {len(outcomes)}"
    last = ("mean", *[NOTHING] * 4, within, *(number(means[name]) for name in TITLES))
    drawn = drawn_regrets(outcomes)
    random = ("drawn at random", *[NOTHING] * 5, *(number(drawn[name]) for name in TITLES))
    return Table((*columns, *TITLES.values()), [*rows, last, random], texts=1)


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


def budgets(folder: Path) -> str:
    """What the documentation says of searches within budgets: each `budgets*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("budgets*.json")):
        results, cases = read_cases(path)
        versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
        where = f"{results.hardware}, {results.threads} threads; {versions}."
        table = markdown(budgets_table([judged(case) for case in cases]))
        parts += [f"`{results.command}`", where, table]
    return "\n\n".join(parts)
