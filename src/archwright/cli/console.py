"""Console output: lines and tables, not truncated if the output is no terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from archwright.cli.legible import legible

if TYPE_CHECKING:
    from rich.console import OverflowMethod

    from archwright.pruning.result import Measured
    from archwright.report.reading.read_run import Row
    from archwright.training.run import NetworkResult

_NOTHING = "\N{EN DASH}"
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_UNBOUNDED = 1000
"""Columns if the output is no terminal: nothing is cut or wrapped."""


class Show:
    """Writer to `stream`; with colours and the width of the terminal only if it is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        terminal = stream.isatty()
        self._stream = stream
        self._console = Console(
            file=stream,
            force_terminal=terminal,
            color_system="auto" if terminal else None,
            width=None if terminal else _UNBOUNDED,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def line(self, text: str) -> None:
        """Print one line, never wrapped, so that it can be copied."""
        self._console.print(legible(text, self._stream), soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1
    ) -> None:
        """Print a table; its first columns are texts, the others numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for position, name in enumerate(columns):
            if position < texts:  # what does not fit is taken from these
                table.add_column(name, overflow=self._overflow)
            else:
                table.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*(legible(cell, self._stream) for cell in row))
        self._console.print(table)

    @property
    def _overflow(self) -> "OverflowMethod":
        """Return how rich cuts wide text: with a sign of one column, if the encoding has one."""
        return "ellipsis" if legible(_CUT, self._stream) == _CUT else "crop"

    def networks(
        self, networks: "Sequence[Row] | Sequence[NetworkResult] | Sequence[Measured]"
    ) -> None:
        """Print one row per network: its name, its costs and its score."""
        key = next((key for row in networks for key in row.scores), "")
        self.table(
            ("network", "architecture", "channels", "parameters", "MACs", column(key)),
            [
                (
                    network.name,
                    shorten(network.architecture or _NOTHING),
                    decimals(network.channels, 0),
                    decimals(network.params, 0),
                    decimals(network.macs, 0),
                    decimals(network.scores.get(key)),
                )
                for network in networks
            ],
            texts=2,
        )


def column(key: str) -> str:
    """Return the heading of the column of a metric: its label and its unit."""
    from archwright.tasks import find_metric

    metric = find_metric(key)
    return f"{metric.label} {metric.unit}".rstrip()


def count(value: int) -> str:
    """Format an integer, its digits in groups of three."""
    return f"{value:,}"


def decimals(value: float | None, places: int = 2) -> str:
    """Format a number with a fixed number of decimals; a dash for None."""
    return _NOTHING if value is None else f"{value:,.{places}f}"


def shorten(text: str, length: int = 60) -> str:
    """Return `text`, cut to `length` characters."""
    return text if len(text) <= length else text[: length - 1] + _CUT
