"""The table of searches within budgets, as text: for a terminal and for the documentation alike."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from archwright.bench.budgets import Outcome, judged, mean_regrets, read_all_cases, unprojected
from archwright.bench.budgets_config import BudgetsConfig
from archwright.bench.budgets_known import PUBLISHED
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
            _percentile(outcome.case.percentile),
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
    groups: dict[tuple[str, float | None], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.case.device, outcome.case.percentile), []).append(outcome)
    rows = [
        (
            device,
            _percentile(percentile),
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


def _percentile(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


_Held = Sequence[tuple[Results, Sequence[Outcome]]]


def budgets_overview(held: _Held) -> Table:
    """Rows of a file: what alpha speaks for by itself (argmax), and what is derived within (exact).

    Of argmax only those within have a regret, and how many these are is what was held before any
    derivation. Regrets are means in points (deviation of the seeds' means). The last rows are the
    baselines, of all cases.
    """
    columns = ("alpha", "supernets", "pressure", "derivation", "n", "within")
    rows: list[tuple[str, ...]] = []
    for results, outcomes in held:
        settings = results.settings
        alpha = f"untrained {settings['method']}" if settings["untrained"] else settings["method"]
        about = (alpha, str(settings["supernets"]), BudgetsConfig.of(settings).pressure)
        for name, own in (("argmax", unprojected(outcomes)), ("exact", outcomes)):
            if own:
                rows.append((*about, name, *_by_seed(own)))
    every = [one for _, outcomes in held for one in outcomes]
    return Table((*columns, *TITLES.values()), [*rows, *_baselines(every, 5)], texts=1)


def _by_seed(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Seeds, how many are within, and the regrets of these."""
    seeds = sorted({one.case.seed for one in outcomes})
    within = [[one for one in outcomes if one.case.seed == s and one.feasible] for s in seeds]
    means = [mean_regrets(own) for own in within if own]
    regrets = (
        Spread.of(one[name] for one in means).text() if means else NOTHING for name in TITLES
    )
    return (str(len(seeds)), _within(outcomes), *regrets)


def published_table(held: _Held) -> Table:
    """A row a budget that HELP answered, on CIFAR-100: percent, and how many seeds are within."""
    columns = ["device", "budget ms", "best within", "HELP ms", "HELP"]
    for results, _ in held:
        settings = results.settings
        columns.append(
            f"untrained {settings['method']}" if settings["untrained"] else settings["method"]
        )
    columns += ["most MACs", "drawn at random"]
    rows: list[tuple[str, ...]] = []
    for answer in PUBLISHED:
        place = (answer.device, answer.budget_ms)
        own = [[o for o in all_of_them if _place(o) == place] for _, all_of_them in held]
        first = next(one for outcomes in own for one in outcomes)
        best = first.best[_HELP]
        over = "" if answer.latency_ms <= answer.budget_ms else " (over)"
        about = (answer.device, f"{answer.budget_ms:g}", number(best))
        theirs = (f"{answer.latency_ms:g}{over}", f"{answer.accuracy:.1f}")
        ours = (f"{_accuracy(outcomes)}, {_within(outcomes)}" for outcomes in own)
        rest = (best - first.largest[_HELP], best - first.drawn[_HELP])
        rows.append((*about, *theirs, *ours, *map(number, rest)))
    rows.append(_published_regrets(held))
    return Table(tuple(columns), rows, texts=1)


_HELP = "cifar100"
"""The data set of their answers."""


def _published_regrets(held: _Held) -> tuple[str, ...]:
    """The last row: mean regrets, of HELP on the budgets that it keeps."""
    best = {_place(one): one.best[_HELP] for _, outcomes in held for one in outcomes}
    kept = [one for one in PUBLISHED if one.latency_ms <= one.budget_ms]
    theirs = mean(best[one.device, one.budget_ms] - one.accuracy for one in kept)
    ours = (f"{mean_regrets(outcomes)[_HELP]:.2f}, {_within(outcomes)}" for _, outcomes in held)
    every = [one for _, outcomes in held for one in outcomes]
    rest = (mean_regrets(every, "largest")[_HELP], mean_regrets(every, "drawn")[_HELP])
    said = f"{theirs:.2f}, {len(kept)} of {len(PUBLISHED)}"
    return ("mean regret", *[NOTHING] * 3, said, *ours, *map(number, rest))


def _place(outcome: Outcome) -> tuple[str, float]:
    return outcome.case.device, outcome.case.budget_ms


def _accuracy(outcomes: Sequence[Outcome]) -> str:
    return Spread.of(one.accuracies[_HELP] for one in outcomes).text()


def budgets(folder: Path) -> str:
    """What the documentation says of searches within budgets: each `budgets*.json`."""
    held = [(results, [judged(c) for c in cases]) for results, cases in read_all_cases(folder)]
    parts: list[str] = []
    for title, chosen, table in _PARTS:
        own = [(results, outcomes) for results, outcomes in held if chosen(results.settings)]
        if own:
            parts += [f"**{title}**", table_text(table(own)), *_details(own)]
    return "\n\n".join(parts)


def _details(held: _Held) -> list[str]:
    """How each file was measured, and of what is trained on percentiles, each budget."""
    parts: list[str] = []
    for results, outcomes in held:
        parts.append(conditions(results))
        if not (results.settings["untrained"] or results.settings["published"]):
            several = len({one.case.seed for one in outcomes}) > 1
            parts.append(table_text((budgets_summary if several else budgets_table)(outcomes)))
    return parts


_PARTS: Sequence[tuple[str, Callable[[Mapping[str, Any]], bool], Callable[[_Held], Table]]] = (
    (
        "A budget on latency",
        lambda of: not of["published"] and of["size_percentile"] is None,
        budgets_overview,
    ),
    (
        "Budgets on latency and on size together",
        lambda of: not of["published"] and of["size_percentile"] is not None,
        budgets_overview,
    ),
    ("The budgets of HELP, CIFAR-100", lambda of: of["published"], published_table),
)
"""The parts of the page: which files each is of."""
