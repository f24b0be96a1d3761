"""Page of one run, or of a search, the training of its result, and the pruning."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.report import components, formatting, pruning_view
from archwright.report.budgets import BudgetCheck, budgets
from archwright.report.components import Pairs
from archwright.report.drawing.palette import Palette
from archwright.report.drawing.pareto_chart import front_figures
from archwright.report.drawing.plots import Figure, alphas, curves
from archwright.report.reading.read_run import Row, Run

_TITLES = {"search": "Search", "train": "Training", "prune": "Pruning"}
_VERBS = {"search": "Search with", "train": "Train with", "prune": "Prune with"}
_STAGES = (("search", "train"), ("search", "train", "prune"))
"""Kinds of runs that share a page, in their order."""
_LEADS = {
    "search": "train: the half of the training images that the weights learn from; "
    "valid: the half that alpha learns from."
}


@dataclass(frozen=True)
class PageRuns:
    """Runs on one page: one run, or a search, then a training, and possibly a pruning."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """Run that derived the architecture."""
        return self.runs[0]

    @property
    def last(self) -> Run:
        """Run with the final result."""
        return self.runs[-1]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Networks of the result table; none if there is only one.

        The networks of a pruning stand before those of the training, which has the unpruned one.
        """
        rows = self.last.result.rows if self.last.result else ()
        if len(self.runs) == len(_STAGES[-1]):
            trained = self.runs[1].result
            rows = (*rows[:1], *(trained.rows if trained else ()))
        return rows if len(rows) > 1 else ()

    @property
    def titles(self) -> list[str]:
        """Kinds of the runs."""
        return [_TITLES[run.kind] for run in self.runs]


def page_runs(runs: Sequence[Run]) -> PageRuns | None:
    """Return the runs of one page, given in any order; None if they do not belong together."""
    if len(runs) == 1:
        return PageRuns((runs[0],))
    kinds = {run.kind: run for run in runs}
    ordered = tuple(kinds[kind] for kind in _TITLES if kind in kinds)
    if len(ordered) < len(runs) or tuple(run.kind for run in ordered) not in _STAGES:
        return None
    search, training, *pruning = ordered
    texts = [_trained(training), *(run.config.get("architecture") for run in pruning)]
    found = search.architecture
    return PageRuns(ordered) if found and all(text == found.text for text in texts) else None


def _trained(training: Run) -> object:
    """Return the trained architecture, as text; its file is written at the end."""
    if training.architecture is not None:
        return training.architecture.text
    return training.config.get("architecture")


def page_view(
    page: PageRuns, judged: Sequence[BudgetCheck] = (), counted_at: str = ""
) -> dict[str, object]:
    """Return the content of the page; `counted_at` is the size at which budgets were checked, as
    text.
    """
    palette = Palette.of_runs(page.runs)
    text = page.first.architecture.text if page.first.architecture else None
    rows = page.last.result.rows if page.last.result else ()
    several = len(page.runs) > 1
    stages = " and ".join(", ".join(page.titles).lower().rsplit(", ", 1))
    return {
        "title": _title(page.runs[1]) if several else page.last.name,
        "overline": components.overline(page.first, stages if several else ""),
        "verdict": _verdict(page),
        "commands": _commands(page),
        "key_figures": [
            *components.key_figures(page.last),
            *pruning_view.key_figures(page.last),
            *_times(page),
        ],
        "exports": [row for run in page.runs for row in components.exports(run)],
        "budgets": budgets(judged),
        "counted_at": counted_at,
        "rows": components.measured([(row.name, "", row) for row in page.rows], page.last.metrics),
        "metrics": [formatting.heading(metric) for metric in page.last.metrics],
        "architecture": text or next((row.architecture for row in rows), None),
        "drawings": components.drawings(page.first, palette),
        "members": page.first.members,
        "legend": palette.legend(),
        "pruned_cells": pruning_view.pruned_cells(page.last, palette),
        "gates": pruning_view.gates(page.last),
        "alphas": alphas(page.first, palette),
        "curves": _curves(page),
        "titles": page.titles,
        **_settings(page),
        "environments": _environments(page),
    }


def _title(training: Run) -> str:
    space = training.architecture.space if training.architecture else training.config.get("space")
    data = training.config.get("data_title") or training.config.get("data")
    return f"{formatting.setting(space)} on {formatting.setting(data)}"


def _verdict(page: PageRuns) -> str:
    search = page.first
    if len(page.runs) == 1:
        return formatting.verdict(search)
    parts = [formatting.verdict(page.last, f"The {_TITLES[page.last.kind].lower()}")]
    if search.seconds is not None:
        parts.append(f"The search took {formatting.duration(search.seconds)}")
        inherited = search.result.rows[0].score if search.result else None
        if inherited is not None:
            parts[-1] += (
                f"; with the weights of its supernet the network had "
                f"{formatting.score(search.metric, inherited)}"
            )
        parts[-1] += "."
    return " ".join(parts)


def _commands(page: PageRuns) -> Pairs:
    """Return the commands that repeat the runs, each with a label."""
    typed = [formatting.command(run) for run in page.runs]
    if len(set(typed)) == 1:  # one run, or several that one command asked for
        return [("Repeat with", typed[0])] if typed[0] is not None else []
    verbs = [_VERBS[run.kind] for run in page.runs]
    commands = zip(verbs, typed, strict=True)
    return [(verb, command) for verb, command in commands if command is not None]


def _times(page: PageRuns) -> Pairs:
    labels = ["run time"]
    if len(page.runs) > 1:
        labels = [title.lower() for title in page.titles]
    return [
        (formatting.duration(run.seconds), label)
        for label, run in zip(labels, page.runs, strict=True)
        if run.seconds is not None
    ]


def _curves(page: PageRuns) -> list[tuple[str, str, list[Figure]]]:
    """Return the curves of each run under a title, with an introduction."""
    titles = ["Curves"]
    if len(page.runs) > 1:
        titles = [f"Curves of the {title.lower()}" for title in page.titles]
    drawn = [(run, [*curves(run), *front_figures(run)]) for run in page.runs]
    return [
        (title, _LEADS.get(run.kind, "") if figures else "", figures)
        for title, (run, figures) in zip(titles, drawn, strict=True)
        if figures or not run.members  # whose curves are on pages of their own
    ]


def _settings(page: PageRuns) -> dict[str, object]:
    """Return settings that all runs have with different values; then the others, under titles."""
    if len(page.runs) == 1:
        return {"differing": [], "settings": [("", list(components.settings(page.last).items()))]}
    tables = [components.settings(run) for run in page.runs]
    common = [key for key in tables[0] if all(key in one for one in tables)]
    values = {key: [one[key] for one in tables] for key in common}
    same = [(key, values[key][0]) for key in common if len(set(values[key])) == 1]
    own = [
        (f"Of the {title.lower()}", [(k, value) for k, value in one.items() if k not in values])
        for title, one in zip(page.titles, tables, strict=True)
    ]
    groups = [("In both" if len(tables) == 2 else "In all", same), *own]
    changed_settings = [(key, values[key]) for key in common if len(set(values[key])) > 1]
    return {"differing": changed_settings, "settings": [group for group in groups if group[1]]}


def _environments(page: PageRuns) -> list[tuple[str, Pairs]]:
    """Return versions and hardware of the runs, once if they are equal."""
    first, *others = (components.environment(run) for run in page.runs)
    if all(pair in first for other in others for pair in other):
        groups = [("", first)]
    else:
        groups = list(zip(page.titles, [first, *others], strict=True))
    return [group for group in groups if group[1]]
