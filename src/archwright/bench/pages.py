"""What the documentation says of searches, in Markdown, made from files of results."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from archwright.bench.comparison import paired_tests, standings
from archwright.bench.contestants import BASELINES, RANDOM, Contestant
from archwright.bench.darts import darts_table
from archwright.bench.darts import standings as standings_of_darts
from archwright.bench.markdown import conditions, table_text
from archwright.bench.nasbench201_config import Nasbench201Config
from archwright.bench.nulls import compared_nulls, nulls
from archwright.bench.rank_config import RankConfig
from archwright.bench.rankings import agreements, read_rankings
from archwright.bench.results import Results, read_results
from archwright.bench.searches import Search, Searches, merged, read_searches
from archwright.bench.spread import Spread
from archwright.bench.tabulate import (
    TITLES,
    Table,
    above_table,
    agreements_table,
    standings_table,
    tests_table,
)
from archwright.tables import nasbench201 as table

_BOTH = ("none", "all")
"""Supernets of the main table: as published, and with every simplification."""


def read_all(folder: Path) -> list[Searches]:
    """Every `searches*.json` of a folder, those that were measured alike together.

    Searches of one supernet come first, then those of several.

    Raises:
        RunError: a file holds no searches of this version.
    """
    found = merged([read_searches(path) for path in sorted(folder.glob("searches*.json"))])
    return sorted(found, key=lambda results: results.settings["supernets"])


def nasbench201(folder: Path) -> str:
    """The methods with and without simplification, and tests of the difference (Table III)."""
    return _sections(folder, _where(lambda one: one.supernet in _BOTH), _compared)


def ablation(folder: Path) -> str:
    """The methods that were run with several simplifications, stage by stage (Table V)."""

    def chosen(searches: Sequence[Search]) -> list[Search]:
        who = {search.contestant for search in searches}
        several = {one.method for one in who if one.supernet not in _BOTH}
        return [search for search in searches if search.contestant.method in several]

    return _sections(folder, chosen, _standings)


def rank(folder: Path) -> str:
    """How well supernets rank architectures, a section for each `rank*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("rank*.json")):
        results = read_rankings(path)
        command = RankConfig.command(results.settings, results.rankings)
        if results.rankings:
            preset = results.settings["preset"]
            heading = f"**Searched on {results.rankings[0].images}, preset {preset}**"
            table = table_text(agreements_table(agreements(results), preset))
            how = conditions(replace(results, command=command), results.settings["precision"])
            parts += [heading, how, table]
    return "\n\n".join(parts)


def darts(folder: Path) -> str:
    """Searches on the DARTS space with what was trained (Table IV): each `darts-*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("darts-*.json")):
        results = read_results(path)
        recipe, images = results.settings["recipe"], results.rows[0]["images"]
        heading = f"**Searched and trained on {images}, recipe {recipe}**"
        table = table_text(darts_table(standings_of_darts(results.rows)))
        parts += [heading, conditions(results, results.settings["precision"]), table]
    return "\n\n".join(parts)


def methods(folder: Path) -> str:
    """One row a method: what it found on the simplified supernet, and what that took."""
    wanted = _where(lambda one: one.supernet == "all" or one.method == RANDOM)
    return _sections(folder, wanted, _standings)


Choose = Callable[[Sequence[Search]], list[Search]]


def _where(wanted: Callable[[Contestant], bool]) -> Choose:
    return lambda searches: [search for search in searches if wanted(search.contestant)]


def _sections(
    folder: Path, choose: Choose, section: Callable[[Searches, Sequence[Search]], str]
) -> str:
    """A section for all searches that were measured alike, of those that are chosen of them."""
    parts: list[str] = []
    for results in read_all(folder):
        if chosen := choose(results.searches):
            command = Nasbench201Config.command(results.settings, chosen)
            how = conditions(replace(results, command=command), results.settings["precision"])
            parts += [_heading(results), how, section(results, chosen)]
    return "\n\n".join(parts)


def _heading(results: Searches) -> str:
    preset = results.settings["preset"]
    several = results.settings["supernets"]
    together = f", {several} supernets deciding together" if several > 1 else ""
    return f"**Searched on {results.searches[0].images}, preset {preset}{together}**"


def _standings(results: Searches, chosen: Sequence[Search]) -> str:
    return table_text(standings_table(standings(chosen), results.settings["preset"], nulls()))


def _compared(results: Searches, chosen: Sequence[Search]) -> str:
    preset = results.settings["preset"]
    parts = [_standings(results, chosen)]
    learned = [row for row in standings(chosen) if row.contestant.method not in BASELINES]
    if (beside := above_table(learned, compared_nulls(), preset)).rows:
        parts.append("Points above what nothing was learned for (95 % intervals):")
        parts.append(table_text(beside))
    if tests := paired_tests(chosen):
        parts.append("With simplification less without, seed by seed:")
        parts.append(table_text(tests_table(tests, results.settings["preset"])))
    return "\n\n".join(parts)


def page(path: Path, table: Callable[[Results], Table]) -> str:
    """The table of a results file, with how it was measured; nothing where there is no file."""
    if not path.exists():
        return ""
    results = read_results(path)
    return f"{conditions(results)}\n\n{table_text(table(results))}"


def tried(folder: Path) -> str:
    """List the settings that were tried on the choosing seeds, with their validation accuracies."""
    return page(folder / "tried.json", tried_table)


def tried_table(results: Results) -> Table:
    """A row a setting: validation accuracies after 12 epochs of the cells that it found."""
    columns = ("method", "setting", "n", *TITLES.values())
    made: list[tuple[str, ...]] = []
    for named in dict.fromkeys((row["method"], row["setting"]) for row in results.rows):
        own = [row for row in results.rows if (row["method"], row["setting"]) == named]
        entries = [table.lookup(row["architecture"]) for row in own]
        spreads = [Spread.of(getattr(e, f"{name}_val_12") for e in entries) for name in TITLES]
        made.append((*named, str(len(own)), *(spread.text() for spread in spreads)))
    return Table(columns, made, texts=2)
