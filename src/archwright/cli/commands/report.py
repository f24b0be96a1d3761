"""`archwright report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show
from archwright.engine.options import require, require_kinds
from archwright.errors import RunError

if TYPE_CHECKING:
    from archwright.report.reading.read_run import Row


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Write the page of a run, of a search with the training of its result, or a comparison."""

    runs: tuple[Path, ...]
    """Run folders, finished or not."""
    out: Path | None = None
    """The file to write (else report.html in the run, or beside the first of several: report.html
    for a search and its training, comparison.html for others)."""

    def __post_init__(self) -> None:
        """Check that there is a run to read, and a file to write.

        Raises:
            ConfigError: there is none.
        """
        require_kinds(self)
        require(bool(self.runs), "report needs RUN ...: one or more run folders")
        if self.out is not None:
            require(not self.out.is_dir(), f"--out {self.out} is a folder: name a file")


@dataclass(frozen=True)
class _Written:
    """Page, with the networks of its result table."""

    page: Path
    rows: "tuple[Row, ...]"


def _run(config: ReportConfig) -> _Written:
    from archwright.report import result_rows, write_report

    try:
        page = write_report(config.runs, config.out)
    except OSError as error:
        raise RunError(f"cannot write the page: {error.strerror}; give another --out") from None
    return _Written(page, result_rows(config.runs))


def _show(written: _Written, show: Show) -> dict[str, Any]:
    if written.rows:
        show.networks(written.rows)
    from archwright.engine.scoring.scores import row_to_json

    show.line(f"report: {written.page}")
    return {"report": str(written.page), "rows": [row_to_json(row) for row in written.rows]}


command = Command(name="report", config=ReportConfig, run=_run, show=_show, positional="runs")
