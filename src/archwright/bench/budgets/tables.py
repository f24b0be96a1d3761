"""Tables of searches within budgets, for a terminal and for the documentation alike."""

from collections.abc import Sequence

from archwright.bench.budgets.cases import Cases, CaseScore, mean_regrets, score_argmax
from archwright.bench.budgets.config import BudgetsConfig
from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import DATASET_TITLES, NOTHING, Table, number


def budgets_table(outcomes: Sequence[CaseScore]) -> Table:
    """Return a row a case, then the means: regret in points, with the best within the budget.

    The last rows are baselines within the same budgets: the architecture of most
    multiply-accumulates, and what one drawn at random is expected to lose.
    """
    columns = ("device", "seed", "percentile", "budget ms", "found ms", "within")
    rows = [
        (
            outcome.case.device,
            str(outcome.case.seed),
            percentile_text(outcome.case.percentile),
            *(f"{outcome.case.budget_ms:.4g}", _milliseconds(outcome.latency_ms)),
            "yes" if outcome.feasible else "no",
            *(
                f"{outcome.regrets[name]:.2f} of {outcome.best[name]:.2f}"
                for name in DATASET_TITLES
            ),
        )
        for outcome in outcomes
    ]
    means = mean_regrets(outcomes)
    last = (
        "mean",
        *[NOTHING] * 4,
        feasible_text(outcomes),
        *(number(means[name]) for name in DATASET_TITLES),
    )
    return Table(
        (*columns, *DATASET_TITLES.values()), [*rows, last, *baseline_rows(outcomes, 5)], texts=1
    )


def baseline_rows(outcomes: Sequence[CaseScore], blanks: int) -> list[tuple[str, ...]]:
    """Return a row for each baseline, with `blanks` empty columns."""
    largest, drawn = mean_regrets(outcomes, "largest"), mean_regrets(outcomes, "drawn")
    return [
        (title, *[NOTHING] * blanks, *(number(regrets[name]) for name in DATASET_TITLES))
        for title, regrets in (("most MACs within", largest), ("drawn at random", drawn))
    ]


def feasible_text(outcomes: Sequence[CaseScore]) -> str:
    """Format the number of cases that are within their budget."""
    return f"{sum(outcome.feasible for outcome in outcomes)} of {len(outcomes)}"


def percentile_text(value: float | None) -> str:
    """Format the percentile of a budget; a dash for none."""
    return NOTHING if value is None else f"{value:g}"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


ScoredFiles = Sequence[tuple[Cases, Sequence[CaseScore]]]


def budgets_overview(held: ScoredFiles) -> Table:
    """Return two rows a file: alpha's strongest architecture (argmax), and the derived one (exact).

    Only architectures within the budget have a regret; for argmax, their number shows how well the
    search kept the budget before any derivation. Regrets are means in points (deviation of the
    seeds' means). The last rows are the baselines, of all cases.
    """
    columns = ("alpha", "supernets", "pressure", "derivation", "n", "within")
    rows: list[tuple[str, ...]] = []
    for results, outcomes in held:
        settings = results.settings
        alpha = f"untrained {settings['method']}" if settings["untrained"] else settings["method"]
        about = (alpha, str(settings["supernets"]), BudgetsConfig.of(settings).pressure)
        for name, own in (("argmax", score_argmax(outcomes)), ("exact", outcomes)):
            if own:
                rows.append((*about, name, *_by_seed(own)))
    every = [one for _, outcomes in held for one in outcomes]
    return Table((*columns, *DATASET_TITLES.values()), [*rows, *baseline_rows(every, 5)], texts=1)


def _by_seed(outcomes: Sequence[CaseScore]) -> tuple[str, ...]:
    """Return the number of seeds, of cases within the budget, and their regrets."""
    seeds = sorted({one.case.seed for one in outcomes})
    within = [[one for one in outcomes if one.case.seed == s and one.feasible] for s in seeds]
    means = [mean_regrets(own) for own in within if own]
    regrets = (
        Spread.of(one[name] for one in means).text() if means else NOTHING
        for name in DATASET_TITLES
    )
    return (str(len(seeds)), feasible_text(outcomes), *regrets)
