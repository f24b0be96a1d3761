"""Tables of the documentation: searches within latency budgets."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from archwright.bench.budgets.cases import Cases, CaseScore, mean_regrets, read_cases, score_case
from archwright.bench.budgets.published import PUBLISHED
from archwright.bench.budgets.tables import (
    ScoredFiles,
    baseline_rows,
    budgets_overview,
    budgets_table,
    feasible_text,
    percentile_text,
)
from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import DATASET_TITLES, NOTHING, Table, number
from docs_tables.markdown import Blocks, conditions, table_text


def budgets_summary(outcomes: Sequence[CaseScore]) -> Table:
    """Return a row a device and percentile: mean regret in points (deviation); then the means.

    The last rows are as in `budgets_table`.
    """
    columns = ("device", "percentile", "budget ms", "n", "within", "best")
    groups: dict[tuple[str, float | None], list[CaseScore]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.case.device, outcome.case.percentile), []).append(outcome)
    rows = [
        (
            device,
            percentile_text(percentile),
            f"{group[0].case.budget_ms:.4g}",
            str(len(group)),
            feasible_text(group),
            " / ".join(f"{group[0].best[name]:.2f}" for name in DATASET_TITLES),
            *(_regret(group, name) for name in DATASET_TITLES),
        )
        for (device, percentile), group in groups.items()
    ]
    means = mean_regrets(outcomes)
    whole = ("mean", *[NOTHING] * 2, str(len(outcomes)), feasible_text(outcomes), NOTHING)
    last = (*whole, *(number(means[name]) for name in DATASET_TITLES))
    return Table(
        (*columns, *DATASET_TITLES.values()), [*rows, last, *baseline_rows(outcomes, 5)], texts=1
    )


def _regret(outcomes: Sequence[CaseScore], name: str) -> str:
    return Spread.of(outcome.regrets[name] for outcome in outcomes).text()


def published_table(held: ScoredFiles) -> Table:
    """Return a row a budget of HELP, on CIFAR-100: percent, and how many seeds are within."""
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
        ours = (f"{_accuracy(outcomes)}, {feasible_text(outcomes)}" for outcomes in own)
        rest = (best - first.largest[_HELP], best - first.drawn[_HELP])
        rows.append((*about, *theirs, *ours, *map(number, rest)))
    rows.append(_published_regrets(held))
    return Table(tuple(columns), rows, texts=1)


_HELP = "cifar100"
"""The data set of their answers."""


def _published_regrets(held: ScoredFiles) -> tuple[str, ...]:
    """Return the last row: mean regrets, of HELP on the budgets that it keeps."""
    best = {_place(one): one.best[_HELP] for _, outcomes in held for one in outcomes}
    kept = [one for one in PUBLISHED if one.latency_ms <= one.budget_ms]
    theirs = mean(best[one.device, one.budget_ms] - one.accuracy for one in kept)
    ours = (
        f"{mean_regrets(outcomes)[_HELP]:.2f}, {feasible_text(outcomes)}" for _, outcomes in held
    )
    every = [one for _, outcomes in held for one in outcomes]
    rest = (mean_regrets(every, "largest")[_HELP], mean_regrets(every, "drawn")[_HELP])
    said = f"{theirs:.2f}, {len(kept)} of {len(PUBLISHED)}"
    return ("mean regret", *[NOTHING] * 3, said, *ours, *map(number, rest))


def _place(outcome: CaseScore) -> tuple[str, float]:
    return outcome.case.device, outcome.case.budget_ms


def _accuracy(outcomes: Sequence[CaseScore]) -> str:
    return Spread.of(one.accuracies[_HELP] for one in outcomes).text()


def budgets(folder: Path) -> str:
    """Return the tables of searches within budgets: each `budgets*.json`."""
    held = [(one, [score_case(row) for row in one.rows]) for one in read_all_cases(folder)]
    parts: list[str] = []
    for title, chosen, table in _PARTS:
        own = [(results, outcomes) for results, outcomes in held if chosen(results.settings)]
        if own:
            parts += [f"**{title}**", table_text(table(own)), *_details(own)]
    return "\n\n".join(parts)


def _details(held: ScoredFiles) -> list[str]:
    """Return how each file was measured, and of what is trained on percentiles, each budget."""
    parts: list[str] = []
    for results, outcomes in held:
        parts.append(conditions(results))
        if not (results.settings["untrained"] or results.settings["published"]):
            several = len({one.case.seed for one in outcomes}) > 1
            parts.append(table_text((budgets_summary if several else budgets_table)(outcomes)))
    return parts


_PARTS: Sequence[
    tuple[str, Callable[[Mapping[str, Any]], bool], Callable[[ScoredFiles], Table]]
] = (
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


def read_all_cases(folder: Path) -> list[Cases]:
    """Read every `budgets*.json` of a folder, by name; first what is trained, by one supernet.

    Raises:
        RunError: as `read_cases`.
    """
    paths = sorted(folder.glob("budgets*.json"), key=lambda path: path.stem)
    found = [read_cases(path) for path in paths]
    keys = ("untrained", "supernets")
    return sorted(found, key=lambda held: tuple(held.settings[key] for key in keys))


BLOCKS: Blocks = {"results.md": {"budgets": budgets}}
