"""The page of one run, or of a search, the training of what it found, and its pruning."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.report import components, formatting, pruning_view
from archwright.report.budgets import BudgetCheck, budgets
from archwright.report.components import Pairs
from archwright.report.palette import Palette
from archwright.report.pareto_chart import front_figures
from archwright.report.plots import Figure, alphas, curves
from archwright.report.read_run import Row, Run

_TITLES = {"search": "Search", "train": "Training", "prune": "Pruning"}
_VERBS = {"search": "Search with", "train": "Train with", "prune": "Prune with"}
_TOLD = (("search", "train"), ("search", "train", "prune"))
"""The runs that are told on one page."""
_LEADS = {
    "search": "train: the half of the training images that the weights learn from; "
    "valid: the half that alpha learns from."
}


@dataclass(frozen=True)
class Story:
    """What one page tells: one run, or a search, then a training, and perhaps a pruning."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run that says how the architecture came about."""
        return self.runs[0]

    @property
    def last(self) -> Run:
        """The run that the result is of."""
        return self.runs[-1]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The networks of the result table; none where there is but one.

        What a pruning left stands before those of the training, which has the unpruned one.
        """
        rows = self.last.result.rows if self.last.result else ()
        if len(self.runs) == len(_TOLD[-1]):
            trained = self.runs[1].result
            rows = (*rows[:1], *(trained.rows if trained else ()))
        return rows if len(rows) > 1 else ()

    @property
    def titles(self) -> list[str]:
        """What each run is."""
        return [_TITLES[run.kind] for run in self.runs]


def story_of(runs: Sequence[Run]) -> Story | None:
    """The story that the runs tell together, in whatever order they come; None if they do not."""
    if len(runs) == 1:
        return Story((runs[0],))
    kinds = {run.kind: run for run in runs}
    ordered = tuple(kinds[kind] for kind in _TITLES if kind in kinds)
    if len(ordered) < len(runs) or tuple(run.kind for run in ordered) not in _TOLD:
        return None
    search, training, *pruning = ordered
    texts = [_trained(training), *(run.config.get("architecture") for run in pruning)]
    found = search.architecture
    return Story(ordered) if found and all(text == found.text for text in texts) else None


def _trained(training: Run) -> object:
    """The architecture that is trained, as text; its file is written at the end."""
    if training.architecture is not None:
        return training.architecture.text
    return training.config.get("architecture")


def story_view(
    story: Story, judged: Sequence[BudgetCheck] = (), counted_at: str = ""
) -> dict[str, object]:
    """What the page shows; `counted_at` is the size that budgets were judged at, in formatting."""
    palette = Palette.of_runs(story.runs)
    text = story.first.architecture.text if story.first.architecture else None
    rows = story.last.result.rows if story.last.result else ()
    several = len(story.runs) > 1
    stages = " and ".join(", ".join(story.titles).lower().rsplit(", ", 1))
    return {
        "title": _title(story.runs[1]) if several else story.last.name,
        "overline": components.overline(story.first, stages if several else ""),
        "verdict": _verdict(story),
        "commands": _commands(story),
        "facts": [*components.facts(story.last), *pruning_view.facts(story.last), *_times(story)],
        "exports": [row for run in story.runs for row in components.exports(run)],
        "budgets": budgets(judged),
        "counted_at": counted_at,
        "rows": components.measured([(row.name, "", row) for row in story.rows]),
        "architecture": text or next((row.architecture for row in rows), None),
        "drawings": components.drawings(story.first, palette),
        "members": story.first.members,
        "legend": palette.legend(),
        "cuts": pruning_view.cuts(story.last, palette),
        "gates": pruning_view.gates(story.last),
        "alphas": alphas(story.first, palette),
        "curves": _curves(story),
        "titles": story.titles,
        **_settings(story),
        "environments": _environments(story),
    }


def _title(training: Run) -> str:
    space = training.architecture.space if training.architecture else training.config.get("space")
    told = training.config.get("data_title") or training.config.get("data")
    return f"{formatting.setting(space)} on {formatting.setting(told)}"


def _verdict(story: Story) -> str:
    search = story.first
    if len(story.runs) == 1:
        return formatting.verdict(search)
    parts = [formatting.verdict(story.last, f"The {_TITLES[story.last.kind].lower()}")]
    if search.seconds is not None:
        parts.append(f"The search took {formatting.duration(search.seconds)}")
        inherited = search.result.rows[0].top1 if search.result else None
        if inherited is not None:
            parts[-1] += (
                f"; with the weights of its supernet the network had {formatting.share(inherited)}"
            )
        parts[-1] += "."
    return " ".join(parts)


def _commands(story: Story) -> Pairs:
    """The commands that repeat the runs, each with a word for it."""
    told = [formatting.command(run) for run in story.runs]
    if len(set(told)) == 1:  # one run, or several that one command asked for
        return [("Repeat with", told[0])] if told[0] is not None else []
    verbs = [_VERBS[run.kind] for run in story.runs]
    commands = zip(verbs, told, strict=True)
    return [(verb, command) for verb, command in commands if command is not None]


def _times(story: Story) -> Pairs:
    labels = ["run time"]
    if len(story.runs) > 1:
        labels = [title.lower() for title in story.titles]
    return [
        (formatting.duration(run.seconds), label)
        for label, run in zip(labels, story.runs, strict=True)
        if run.seconds is not None
    ]


def _curves(story: Story) -> list[tuple[str, str, list[Figure]]]:
    """The curves of each run under a title, with what there is to say of them."""
    titles = ["Curves"]
    if len(story.runs) > 1:
        titles = [f"Curves of the {title.lower()}" for title in story.titles]
    drawn = [(run, [*curves(run), *front_figures(run)]) for run in story.runs]
    return [
        (title, _LEADS.get(run.kind, "") if figures else "", figures)
        for title, (run, figures) in zip(titles, drawn, strict=True)
        if figures or not run.members  # whose curves are on pages of their own
    ]


def _settings(story: Story) -> dict[str, object]:
    """Settings that all runs have and that differ; then the others, under titles."""
    if len(story.runs) == 1:
        return {"differing": [], "settings": [("", list(components.settings(story.last).items()))]}
    told = [components.settings(run) for run in story.runs]
    common = [key for key in told[0] if all(key in one for one in told)]
    values = {key: [one[key] for one in told] for key in common}
    same = [(key, values[key][0]) for key in common if len(set(values[key])) == 1]
    own = [
        (f"Of the {title.lower()}", [(k, value) for k, value in one.items() if k not in values])
        for title, one in zip(story.titles, told, strict=True)
    ]
    groups = [("In both" if len(told) == 2 else "In all", same), *own]
    changed_settings = [(key, values[key]) for key in common if len(set(values[key])) > 1]
    return {"differing": changed_settings, "settings": [group for group in groups if group[1]]}


def _environments(story: Story) -> list[tuple[str, Pairs]]:
    """What the runs were computed with, once where it was the same."""
    first, *others = (components.environment(run) for run in story.runs)
    if all(pair in first for other in others for pair in other):
        groups = [("", first)]
    else:
        groups = list(zip(story.titles, [first, *others], strict=True))
    return [group for group in groups if group[1]]
