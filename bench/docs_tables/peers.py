"""Table of the documentation: supernets of other implementations, measured alike."""

import json
from pathlib import Path

from archwright.bench.engine.table import Table
from docs_tables.markdown import Blocks, table_text

PEERS = Path(__file__).parents[1] / "peers.json"
_SPACES = {"nasbench201": "NAS-Bench-201 space", "darts": "DARTS space"}
_COLUMNS = ("implementation", "saved MB", "x discrete", "step x discrete", "ATen calls forward")


def peers(folder: Path) -> str:
    """Return a table for each space, from `PEERS`: nothing of it is in a folder of results."""
    content = json.loads(PEERS.read_text(encoding="utf-8"))
    parts = [content["how"]]
    for space, measured in content["spaces"].items():
        rows = [
            (
                row["name"],
                f"{row['saved_mb']:,}",
                f"{row['memory_ratio']:.2f}",
                f"{row['time_ratio']:g}",
                f"{row['aten_ops_forward']:,}",
            )
            for row in measured
        ]
        parts += [f"**{_SPACES[space]}**", table_text(Table(_COLUMNS, rows, texts=1))]
    return "\n\n".join(parts)


BLOCKS: Blocks = {"results.md": {"peers": peers}}
