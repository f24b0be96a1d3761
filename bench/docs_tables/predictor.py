"""How near predicted latencies are to measured ones, as tables."""

from pathlib import Path

from archwright.bench.predictor.tables import predictor_table
from docs_tables.markdown import Blocks, page


def predictor(folder: Path) -> str:
    """What the documentation says of predicted latencies, in Markdown."""
    return page(folder / "predictor.json", predictor_table)


BLOCKS: Blocks = {"cost.md": {"predictor": predictor}}
