"""Table of the documentation: predicted latencies."""

from pathlib import Path

from archwright.bench.predictor.tables import predictor_table
from docs_tables.markdown import Blocks, page


def predictor(folder: Path) -> str:
    """Return the table of predicted latencies."""
    return page(folder / "predictor.json", predictor_table)


BLOCKS: Blocks = {"cost.md": {"predictor": predictor}}
