"""Tables of the documentation: rank quality of supernets."""

from dataclasses import replace
from pathlib import Path

from archwright.bench.rank.config import RankConfig
from archwright.bench.rank.rankings import agreements, read_rankings
from archwright.bench.rank.tables import agreements_table
from docs_tables.markdown import Blocks, conditions, table_text


def rank(folder: Path) -> str:
    """Return the rank quality of supernets, a section for each `rank*.json`."""
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


BLOCKS: Blocks = {"results.md": {"rank": rank}}
