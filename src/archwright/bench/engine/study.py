"""Contract of a study: its configuration, how it runs, and how its results are shown."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archwright.bench.engine.table import Table

if TYPE_CHECKING:
    from archwright.bench.engine.results import Conditions


class Console(Protocol):
    """Output for people: lines and tables."""

    def line(self, text: str) -> None:
        """Print one line."""
        ...

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1
    ) -> None:
        """Print a table; its first `texts` columns are texts, the others numbers."""
        ...


@dataclass(frozen=True, kw_only=True)
class Study:
    """Study of `archwright bench`.

    Attributes:
        config: dataclass of its options, from which the command line is derived.
        run: measures what is missing, and returns all results.
        show: shows configuration and results to people, and returns what `--json` prints.
        positional: the option that is given without a flag, if there is one.
    """

    config: type
    run: Callable[[Any], Any]
    show: Callable[[Any, Any, Console], Any]
    positional: str = ""


def show_table(console: Console, table: Table) -> None:
    """Print a table."""
    console.table(table.columns, table.rows, texts=table.texts)


def show_conditions(console: Console, results: "Conditions", file: Path) -> dict[str, Any]:
    """Print where the results are, and return their conditions for `--json`."""
    console.line(f"results: {file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(file),
    }


def rows_to_json(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows of arms, dataclasses, for `--json`, which calls the arm `contestant`."""
    return [{"contestant" if k == "arm" else k: v for k, v in asdict(r).items()} for r in rows]
