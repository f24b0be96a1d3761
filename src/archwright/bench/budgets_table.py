"""The table of searches within budgets, as text: for a terminal and for the documentation alike."""

from collections.abc import Sequence
from pathlib import Path

from archwright.bench.budgets import Outcome, judged, mean_regrets, read_all_cases
from archwright.bench.markdown import conditions, table_text
from archwright.bench.results import Results
from archwright.bench.spread import Spread
from archwright.bench.tabulate import NOTHING, TITLES, Table, number


def budgets_table(outcomes: Sequence[Outcome]) -> Table:
    """A row a case, then the means: regret in points, with the best that there is behind it.

    The last rows are baselines within the same budgets: the architecture of most
    multiply-accumulates, and what one drawn at random is expected to lose.
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
    last = ("mean", *[NOTHING] * 4, _within(outcomes), *(number(means[name]) for name in TITLES))
    return Table((*columns, *TITLES.values()), [*rows, last, *_baselines(outcomes, 5)], texts=1)


def budgets_summary(outcomes: Sequence[Outcome]) -> Table:
    """A row a device and percentile, over seeds: mean regret in points (deviation); then the means.

    The last rows are as in `budgets_table`.
    """
    columns = ("device", "percentile", "budget ms", "n", "within", "best")
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.case.device, outcome.case.percentile), []).append(outcome)
    rows = [
        (
            device,
            f"{percentile:g}",
            f"{group[0].case.budget_ms:.4g}",
            str(len(group)),
            _within(group),
            " / ".join(f"{group[0].best[name]:.2f}" for name in TITLES),
            *(_regret(group, name) for name in TITLES),
        )
        for (device, percentile), group in groups.items()
    ]
    means = mean_regrets(outcomes)
    whole = ("mean", *[NOTHING] * 2, str(len(outcomes)), _within(outcomes), NOTHING)
    last = (*whole, *(number(means[name]) for name in TITLES))
    return Table((*columns, *TITLES.values()), [*rows, last, *_baselines(outcomes, 5)], texts=1)


def _baselines(outcomes: Sequence[Outcome], blanks: int) -> list[tuple[str, ...]]:
    """A row each, with so many columns that say nothing of them."""
    largest, drawn = mean_regrets(outcomes, "largest"), mean_regrets(outcomes, "drawn")
    return [
        (title, *[NOTHING] * blanks, *(number(regrets[name]) for name in TITLES))
        for title, regrets in (("most MACs within", largest), ("drawn at random", drawn))
    ]


def _within(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(outcome.feasible for outcome in outcomes)} of {len(outcomes)}"


def _regret(outcomes: Sequence[Outcome], name: str) -> str:
    return Spread.of(outcome.regrets[name] for outcome in outcomes).text()


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


def budgets_overview(held: Sequence[tuple[Results, Sequence[Outcome]]]) -> Table:
    """A row a file: the mean regret in points (deviation of the seeds' means).

    The last rows are the baselines, of all cases.
    """
    columns = ("method", "supernets", "n", "within")
    rows: list[tuple[str, ...]] = []
    for results, outcomes in held:
        seeds = sorted({one.case.seed for one in outcomes})
        own = [mean_regrets([one for one in outcomes if one.case.seed == seed]) for seed in seeds]
        about = (results.settings["method"], str(results.settings["supernets"]), str(len(seeds)))
        regrets = (Spread.of(one[name] for one in own).text() for name in TITLES)
        rows.append((*about, _within(outcomes), *regrets))
    every = [one for _, outcomes in held for one in outcomes]
    return Table((*columns, *TITLES.values()), [*rows, *_baselines(every, 3)], texts=1)


def budgets(folder: Path) -> str:
    """What the documentation says of searches within budgets: each `budgets*.json`."""
    held = [(results, [judged(c) for c in cases]) for results, cases in read_all_cases(folder)]
    parts = [table_text(budgets_overview(held))] if len(held) > 1 else []
    for results, outcomes in held:
        several = len({one.case.seed for one in outcomes}) > 1
        shown = budgets_summary if several else budgets_table
        parts += [conditions(results), table_text(shown(outcomes))]
    return "\n\n".join(parts)
