"""One self-contained HTML page for a run, or one that compares several."""

from archwright.report.page import write_report

__all__ = ["write_report"]
