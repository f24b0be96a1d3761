"""Tables of the documentation: searches on the DARTS space and what was trained."""

from pathlib import Path

from archwright.bench.darts.tables import darts_table, summarise_darts
from archwright.bench.engine.results import read_results
from docs_tables.markdown import Blocks, conditions, table_text


def darts(folder: Path) -> str:
    """Return the tables of searches and trainings (Table IV), one for each `darts-*.json`."""
    parts: list[str] = []
    for path in sorted(folder.glob("darts-*.json")):
        results = read_results(path)
        recipe, images = results.settings["recipe"], results.rows[0]["images"]
        heading = f"**Searched and trained on {images}, recipe {recipe}**"
        table = table_text(darts_table(summarise_darts(results.rows)))
        parts += [heading, conditions(results, results.settings["precision"]), table]
    return "\n\n".join(parts)


BLOCKS: Blocks = {"results.md": {"darts": darts}}
