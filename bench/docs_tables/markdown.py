"""Markdown of results: how they were measured, their table, and a picture of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from archwright.bench.engine.results import Conditions, Results, read_results
from archwright.bench.engine.table import Table

DOCS = Path(__file__).parents[2] / "docs"

Blocks = Mapping[str, Mapping[str, Callable[[Path], str]]]
"""Tables of the documentation, each made from a folder of results, by page and marker."""


def conditions(results: Conditions, first: str = "") -> str:
    """Return the commands that measure it again, then `first`, the machine and the versions."""
    commands = [f"`{command}`" for command in results.command.splitlines()]
    shown = commands[0] if len(commands) == 1 else "\n".join(f"- {one}" for one in commands)
    threads = f"{results.threads} thread{'s' if results.threads > 1 else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    lead = f"{first}; " if first else ""
    return f"{shown}\n\n{lead}{results.hardware}, {threads}; {versions}."


def table_text(table: Table) -> str:
    """Return a table in Markdown, its texts to the left and its numbers to the right."""
    ruler = ["---"] * table.texts + ["---:"] * (len(table.columns) - table.texts)
    lines = (table.columns, ruler, *table.rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(path: Path, table: Callable[[Results], Table]) -> str:
    """Return the table of a results file, with how it was measured; "" if there is no file."""
    if not path.exists():
        return ""
    results = read_results(path)
    return f"{conditions(results)}\n\n{table_text(table(results))}"


def picture(name: str, text: str) -> list[str]:
    """Return the line that shows a picture of docs/images, if it has been drawn."""
    return [f"![{text}](images/{name})"] if (DOCS / "images" / name).exists() else []


def under_picture(name: str, text: str, made: str) -> str:
    """Put the picture of that name, if it has been drawn, above a table, if there is one."""
    return "\n\n".join([*picture(name, text), made]) if made else ""
