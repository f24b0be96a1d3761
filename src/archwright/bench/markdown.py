"""What is said of results in Markdown: how they were measured, and the table of them."""

from archwright.bench.results import Measured
from archwright.bench.tabulate import Table


def conditions(results: Measured, first: str = "") -> str:
    """The commands that measure it again, then `first`, the machine and the versions."""
    commands = [f"`{command}`" for command in results.command.splitlines()]
    shown = commands[0] if len(commands) == 1 else "\n".join(f"- {one}" for one in commands)
    threads = f"{results.threads} thread{'s' if results.threads > 1 else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    lead = f"{first}; " if first else ""
    return f"{shown}\n\n{lead}{results.hardware}, {threads}; {versions}."


def table_text(table: Table) -> str:
    """A table, its texts to the left and its numbers to the right."""
    ruler = ["---"] * table.texts + ["---:"] * (len(table.columns) - table.texts)
    lines = (table.columns, ruler, *table.rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
