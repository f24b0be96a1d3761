"""The page of one run, or of a search and the training of what it found: what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.report import pieces, pruned, words
from archwright.report.front import front_figures
from archwright.report.load import Row, Run
from archwright.report.palette import Palette
from archwright.report.pieces import Pairs
from archwright.report.plots import Figure, alphas, curves

_TITLES = {"search": "Search", "train": "Training", "prune": "Pruning"}
_LEADS = {
    "search": "train: the half of the training images that the weights learn from; "
    "valid: the half that alpha learns from."
}


@dataclass(frozen=True)
class Story:
    """What one page tells: one run, or a search and then a training."""

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
        """The networks of the result table; none where there is but one."""
        rows = self.last.result.rows if self.last.result else ()
        return rows if len(rows) > 1 else ()


def story_of(runs: Sequence[Run]) -> Story | None:
    """The story that the runs tell together, in whatever order they come; None if they do not."""
    if len(runs) == 1:
        return Story((runs[0],))
    ordered = sorted(runs, key=lambda run: run.kind)
    if [run.kind for run in ordered] != ["search", "train"]:
        return None
    search, training = ordered
    found = search.architecture
    return Story((search, training)) if found and found.text == _trained(training) else None


def _trained(training: Run) -> object:
    """The architecture that is trained, as text; its file is written at the end."""
    if training.architecture is not None:
        return training.architecture.text
    return training.config.get("architecture")


def story_view(story: Story) -> dict[str, object]:
    """What the page shows."""
    palette = Palette.of_runs(story.runs)
    text = story.first.architecture.text if story.first.architecture else None
    rows = story.last.result.rows if story.last.result else ()
    pair = len(story.runs) > 1
    titles = [_TITLES[run.kind] for run in story.runs]
    return {
        "title": _title(story.last) if pair else story.last.name,
        "overline": pieces.overline(story.first, "search and training" if pair else ""),
        "verdict": _verdict(story),
        "commands": _commands(story),
        "facts": [*pieces.facts(story.last), *pruned.facts(story.last), *_times(story)],
        "exports": [row for run in story.runs for row in pieces.exports(run)],
        "rows": pieces.measured([(row.name, "", row) for row in story.rows]),
        "architecture": text or next((row.architecture for row in rows), None),
        "drawings": pieces.drawings(story.first, palette),
        "legend": palette.legend(),
        "cuts": pruned.cuts(story.last, palette),
        "gates": pruned.gates(story.last),
        "alphas": alphas(story.first, palette),
        "curves": _curves(story),
        "titles": titles,
        **_settings(story),
        "environments": _environments(story),
    }


def _title(training: Run) -> str:
    space = training.architecture.space if training.architecture else training.config.get("space")
    told = training.config.get("data_title") or training.config.get("data")
    return f"{words.setting(space)} on {words.setting(told)}"


def _verdict(story: Story) -> str:
    search = story.first
    if len(story.runs) == 1:
        return words.verdict(search)
    parts = [words.verdict(story.last, "The training")]
    if search.seconds is not None:
        parts.append(f"The search took {words.duration(search.seconds)}")
        inherited = search.result.rows[0].top1 if search.result else None
        if inherited is not None:
            parts[-1] += (
                f"; with the weights of its supernet the network had {words.share(inherited)}"
            )
        parts[-1] += "."
    return " ".join(parts)


def _commands(story: Story) -> Pairs:
    """The commands that repeat the runs, each with a word for it."""
    labels = ["Repeat with"] if len(story.runs) == 1 else ["Search with", "Train with"]
    commands = zip(labels, map(words.command, story.runs), strict=True)
    return [(label, command) for label, command in commands if command is not None]


def _times(story: Story) -> Pairs:
    labels = ["run time"] if len(story.runs) == 1 else ["search", "training"]
    return [
        (words.duration(run.seconds), label)
        for label, run in zip(labels, story.runs, strict=True)
        if run.seconds is not None
    ]


def _curves(story: Story) -> list[tuple[str, str, list[Figure]]]:
    """The curves of each run under a title, with what there is to say of them."""
    titles = (
        ["Curves"] if len(story.runs) == 1 else ["Curves of the search", "Curves of the training"]
    )
    drawn = [(run, [*curves(run), *front_figures(run)]) for run in story.runs]
    return [
        (title, _LEADS.get(run.kind, "") if figures else "", figures)
        for title, (run, figures) in zip(titles, drawn, strict=True)
    ]


def _settings(story: Story) -> dict[str, object]:
    """Settings that both runs have and that differ; then the others, under titles."""
    if len(story.runs) == 1:
        return {"differing": [], "settings": [("", list(pieces.settings(story.last).items()))]}
    search, training = (pieces.settings(run) for run in story.runs)
    both = [key for key in search if key in training]
    groups = [
        ("In both", [(key, search[key]) for key in both if search[key] == training[key]]),
        ("Of the search", [(key, value) for key, value in search.items() if key not in training]),
        ("Of the training", [(key, value) for key, value in training.items() if key not in search]),
    ]
    differing = [
        (key, [search[key], training[key]]) for key in both if search[key] != training[key]
    ]
    return {"differing": differing, "settings": [group for group in groups if group[1]]}


def _environments(story: Story) -> list[tuple[str, Pairs]]:
    """What the runs were computed with, once where it was the same."""
    groups = [(_TITLES[run.kind], pieces.environment(run)) for run in story.runs]
    (_, first), (_, last) = groups[0], groups[-1]
    if all(pair in first for pair in last):
        groups = [("", first)]
    return [group for group in groups if group[1]]
