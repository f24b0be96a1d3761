"""Self-contained HTML page for a run, for a search and its stages, or for a comparison."""

from archwright.report.page import result_rows, write_report

__all__ = ["result_rows", "write_report"]
