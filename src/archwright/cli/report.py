"""`archwright report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.cli.command import Command
from archwright.cli.show import Show
from archwright.runs.options import require


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Write the page of a run, or one that compares several."""

    runs: tuple[Path, ...]
    """Run folders, finished or not."""
    out: Path | None = None
    """The file to write (else report.html in the run, or comparison.html beside the first)."""

    def __post_init__(self) -> None:
        """Check that there is a run to read, and a file to write.

        Raises:
            ConfigError: there is none.
        """
        require(bool(self.runs), "report needs RUN ...: one or more run folders")
        if self.out is not None:
            require(not self.out.is_dir(), f"--out {self.out} is a folder: name a file")


def _run(config: ReportConfig) -> Path:
    from archwright.report import write_report

    return write_report(config.runs, config.out)


def _show(page: Path, show: Show) -> dict[str, Any]:
    show.line(f"report: {page}")
    return {"report": str(page)}


command = Command(name="report", config=ReportConfig, run=_run, show=_show, positional="runs")
