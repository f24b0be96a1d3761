"""Tables of the documentation: networks timed beside a profiled table."""

from collections.abc import Sequence
from pathlib import Path

from archwright.bench.engine.results import Results, read_results
from archwright.bench.engine.table import Table
from archwright.bench.profile.run import TableAgreement
from docs_tables.markdown import Blocks, conditions, table_text


def profiles_table(runs: Sequence[Results]) -> Table:
    """Return a row for each time that a table was measured, and networks after it."""
    columns = ("run", "networks", "Spearman", "median error %", "measured / predicted")
    rows: list[tuple[str, ...]] = []
    for number, results in enumerate(runs, 1):
        found = TableAgreement.of(results)
        error, left = (f"{100 * share:.1f}" for share in (found.error, found.error_left))
        numbers = (f"{found.spearman:.3f}", error, f"{found.factor:.2f}", left)
        rows.append((str(number), str(len(results.rows)), *numbers))
    return Table((*columns, "median error but for that, %"), rows, texts=1)


def profiles(folder: Path) -> str:
    """Return the agreement of networks with profiled tables: each `profile-*.json`."""
    runs = [read_results(path) for path in sorted(folder.glob("profile-*.json"))]
    if not runs:
        return ""
    first = runs[0]
    how = conditions(first, first.settings["runtime"])
    return f"{how}\n\n{table_text(profiles_table(runs))}"


BLOCKS: Blocks = {"cost.md": {"profiles": profiles}}
