"""What the documentation says of searches, in Markdown, made from files of results."""

from collections.abc import Callable, Sequence
from pathlib import Path

from archwright.bench.comparison import paired_tests, standings
from archwright.bench.contestants import Contestant
from archwright.bench.darts import darts_table
from archwright.bench.darts import standings as standings_of_darts
from archwright.bench.rankings import Rankings, agreements, read_rankings
from archwright.bench.results import Results, read_results
from archwright.bench.searches import Search, Searches, merged, read_searches
from archwright.bench.tabulate import Table, agreements_table, standings_table, tests_table

_BOTH = ("none", "all")
"""Supernets of the main table: as published, and with every simplification."""


def read_all(folder: Path) -> list[Searches]:
    """Every `searches-*.json` of a folder, those that were measured alike together.

    Searches of one supernet come first, then those of several.

    Raises:
        RunError: a file holds no searches of this version.
    """
    found = merged([read_searches(path) for path in sorted(folder.glob("searches-*.json"))])
    return sorted(found, key=lambda results: results.settings["supernets"])


def nasbench201(folder: Path) -> str:
    """The methods with and without simplification, and tests of the difference (Table III)."""
    return _sections(folder, lambda one: one.supernet in _BOTH, _compared)


def ablation(folder: Path) -> str:
    """The methods that were run with several simplifications, stage by stage (Table V)."""

    def section(results: Searches, chosen: Sequence[Search]) -> str:
        stages = {one.method: 0 for one in {s.contestant for s in chosen}}
        for one in {s.contestant for s in chosen}:
            stages[one.method] += one.supernet not in _BOTH
        several = [s for s in chosen if stages[s.contestant.method]]
        return _standings(results, several) if several else ""

    return _sections(folder, lambda one: True, section)


def rank(folder: Path) -> str:
    """How well supernets rank architectures, a section for each `rank*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("rank*.json")):
        results = read_rankings(path)
        if results.rankings:
            preset = results.settings["preset"]
            heading = f"**Searched on {results.rankings[0].images}, preset {preset}**"
            table = markdown(agreements_table(agreements(results), preset))
            parts += [heading, _conditions(results), table]
    return "\n\n".join(parts)


def darts(folder: Path) -> str:
    """Searches on the DARTS space with what was trained (Table IV): each `darts-*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("darts-*.json")):
        results = read_results(path)
        recipe, images = results.settings["recipe"], results.rows[0]["images"]
        heading = f"**Searched and trained on {images}, recipe {recipe}**"
        table = markdown(darts_table(standings_of_darts(results.rows)))
        parts += [heading, _conditions(results), table]
    return "\n\n".join(parts)


def methods(folder: Path) -> str:
    """One row a method: what it found on the simplified supernet, and what that took."""
    return _sections(
        folder, lambda one: one.supernet == "all" or one.method == "random", _standings
    )


def _sections(
    folder: Path,
    wanted: Callable[[Contestant], bool],
    section: Callable[[Searches, Sequence[Search]], str],
) -> str:
    """A section for all searches that were measured alike, of the contestants that are wanted."""
    parts: list[str] = []
    for results in read_all(folder):
        made = section(results, [s for s in results.searches if wanted(s.contestant)])
        if made:
            parts.append(f"{_heading(results)}\n\n{_conditions(results)}\n\n{made}")
    return "\n\n".join(parts)


def _heading(results: Searches) -> str:
    preset = results.settings["preset"]
    several = results.settings["supernets"]
    together = f", {several} supernets deciding together" if several > 1 else ""
    return f"**Searched on {results.searches[0].images}, preset {preset}{together}**"


def _conditions(results: Searches | Rankings | Results) -> str:
    """How it was measured, with the command that does it again."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return (
        f"`{results.command}`\n\n"
        f"{results.settings['precision']}; {results.hardware}, {results.threads} threads; "
        f"{versions}."
    )


def _standings(results: Searches, chosen: Sequence[Search]) -> str:
    return markdown(standings_table(standings(chosen), results.settings["preset"]))


def _compared(results: Searches, chosen: Sequence[Search]) -> str:
    parts = [_standings(results, chosen)]
    if tests := paired_tests(chosen):
        parts.append("With simplification less without, seed by seed:")
        parts.append(markdown(tests_table(tests, results.settings["preset"])))
    return "\n\n".join(parts)


def page(path: Path, table: Callable[[Results], Table]) -> str:
    """The table of a results file, with how it was measured; nothing where there is no file."""
    if not path.exists():
        return ""
    results = read_results(path)
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    text = f"`{results.command}`\n\n{results.hardware}, {results.threads} threads; {versions}."
    return f"{text}\n\n{markdown(table(results))}"


def markdown(table: Table) -> str:
    """A table in Markdown, its texts to the left and its numbers to the right."""
    ruler = ["---"] * table.texts + ["---:"] * (len(table.columns) - table.texts)
    lines = (table.columns, ruler, *table.rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
