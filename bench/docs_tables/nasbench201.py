"""Tables of the documentation: searches on NAS-Bench-201."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from archwright.bench.engine.arms import BASELINES, RANDOM, Arm
from archwright.bench.engine.freeze import freeze_of
from archwright.bench.engine.results import Results
from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import DATASET_TITLES, Table
from archwright.bench.nasbench201.comparison import paired_tests, summarise_searches
from archwright.bench.nasbench201.config import Nasbench201Config
from archwright.bench.nasbench201.nulls import main_nulls, nulls
from archwright.bench.nasbench201.searches import Search, Searches, read_searches
from archwright.bench.nasbench201.tables import null_difference_table, searches_table, tests_table
from archwright.tables import nasbench201 as table
from docs_tables.markdown import Blocks, conditions, page, table_text, under_picture

_BOTH = ("none", "all")
"""Supernets of the main table: as published, and with every simplification."""


def read_all_searches(folder: Path) -> list[Searches]:
    """Read every `searches*.json` of a folder, those that were measured alike together.

    Searches of one supernet come first, then those of several; of each, the seeds of the last
    freeze first.

    Raises:
        RunError: a file holds no searches of this version.
    """
    found = merge_searches([read_searches(path) for path in sorted(folder.glob("searches*.json"))])
    ordered = sorted(found, key=lambda results: results.settings["supernets"])
    return [part for results in ordered for part in _by_freeze(results)]


def _by_freeze(results: Searches) -> list[Searches]:
    """Split searches by the freeze that their seeds are of, the last one first."""
    groups: dict[int, list[Search]] = {}
    for search in results.searches:
        groups.setdefault(freeze_of(search.seed), []).append(search)
    return [replace(results, searches=tuple(groups[one])) for one in sorted(groups, reverse=True)]


def nasbench201(folder: Path) -> str:
    """Compare the methods with and without simplification, with tests (Table III)."""
    made = _sections(folder, _where(lambda one: one.supernet in _BOTH), _compared)
    drawn = "Accuracy against normalised cost, with and without"
    return under_picture("search-cost.svg", drawn, made)


def ablation(folder: Path) -> str:
    """Compare the stages of simplification, of methods that were run with several (Table V)."""

    def chosen(searches: Sequence[Search]) -> list[Search]:
        who = {search.arm for search in searches}
        several = {one.method for one in who if one.supernet not in _BOTH}
        return [search for search in searches if search.arm.method in several]

    return _sections(folder, chosen, _summary_table)


def methods(folder: Path) -> str:
    """Return one row a method: what it found on the simplified supernet, and its cost."""
    wanted = _where(lambda one: one.supernet == "all" or one.method == RANDOM)
    return _sections(folder, wanted, _summary_table)


Choose = Callable[[Sequence[Search]], list[Search]]


def _where(wanted: Callable[[Arm], bool]) -> Choose:
    return lambda searches: [search for search in searches if wanted(search.arm)]


def _sections(
    folder: Path, choose: Choose, section: Callable[[Searches, Sequence[Search]], str]
) -> str:
    """Return a section for all searches that were measured alike, of the chosen ones."""
    parts: list[str] = []
    for results in read_all_searches(folder):
        if chosen := choose(results.searches):
            command = Nasbench201Config.command(results.settings, chosen)
            how = conditions(replace(results, command=command), results.settings["precision"])
            parts += [_heading(results), how, section(results, chosen)]
    return "\n\n".join(parts)


def _heading(results: Searches) -> str:
    preset = results.settings["preset"]
    several = results.settings["supernets"]
    together = f", {several} supernets deciding together" if several > 1 else ""
    freeze = freeze_of(results.searches[0].seed)
    frozen = f", settings and seeds of freeze {freeze}" if freeze else ""
    return f"**Searched on {results.searches[0].images}, preset {preset}{together}{frozen}**"


def _summary_table(results: Searches, chosen: Sequence[Search]) -> str:
    return table_text(
        searches_table(summarise_searches(chosen), results.settings["preset"], nulls())
    )


def _compared(results: Searches, chosen: Sequence[Search]) -> str:
    preset = results.settings["preset"]
    parts = [_summary_table(results, chosen)]
    learned = [row for row in summarise_searches(chosen) if row.arm.method not in BASELINES]
    if (beside := null_difference_table(learned, main_nulls(), preset)).rows:
        parts.append("Points above what nothing was learned for (95 % intervals):")
        parts.append(table_text(beside))
    if tests := paired_tests(chosen):
        parts.append("With simplification less without, seed by seed:")
        parts.append(table_text(tests_table(tests, results.settings["preset"])))
    return "\n\n".join(parts)


def tried(folder: Path) -> str:
    """List the settings that were tried on the choosing seeds, with their validation accuracies."""
    return page(folder / "tried.json", tried_table)


def tried_table(results: Results) -> Table:
    """Return a row a setting: validation accuracies after 12 epochs of the cells that it found."""
    columns = ("method", "setting", "n", *DATASET_TITLES.values())
    made: list[tuple[str, ...]] = []
    for named in dict.fromkeys((row["method"], row["setting"]) for row in results.rows):
        own = [row for row in results.rows if (row["method"], row["setting"]) == named]
        entries = [table.lookup(row["architecture"]) for row in own]
        spreads = [
            Spread.of(getattr(e, f"{name}_val_12") for e in entries) for name in DATASET_TITLES
        ]
        made.append((*named, str(len(own)), *(spread.text() for spread in spreads)))
    return Table(columns, made, texts=2)


def merge_searches(results: Sequence[Searches]) -> list[Searches]:
    """Merge the searches of files that were measured alike; each search counts once.

    The command of the first of them stands for all.
    """
    found: list[Searches] = []
    for one in results:
        for place, other in enumerate(found):
            if replace(other, command="", searches=()) == replace(one, command="", searches=()):
                new = [s for s in one.searches if other.find(s.arm, s.seed) is None]
                found[place] = replace(other, searches=(*other.searches, *new))
                break
        else:
            found.append(one)
    return found


BLOCKS: Blocks = {
    "results.md": {"nasbench201": nasbench201, "ablation": ablation},
    "which-method.md": {"methods": methods},
    "protocol.md": {"tried": tried},
}
