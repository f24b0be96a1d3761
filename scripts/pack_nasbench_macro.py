"""Pack the NAS-Bench-Macro table: python scripts/pack_nasbench_macro.py SOURCE.parquet.

The source has one row a network: `arch`, `cifar10_test_runs` (three percentages that float32
holds), `params` and `macs`. The packed table has the rows in the order of the digits and leaves
out what follows from the rest; the script reads back what it wrote and fails if a bit differs.
"""

import io
import sys
from pathlib import Path

import numpy as np
from pack_nasbench201 import packed
from pyarrow import parquet

from archwright.io.files import write_bytes
from archwright.tables.nasbench_macro import SIZE, encode

TARGET = Path(__file__).parents[1] / "src" / "archwright" / "tables" / "nasbench_macro.parquet"


def main(source: Path, target: Path = TARGET) -> int:
    """Pack `source` into `target` and give the size of it in bytes."""
    rows = sorted(parquet.read_table(source).to_pylist(), key=lambda row: encode(row["arch"]))
    if [encode(row["arch"]) for row in rows] != list(range(SIZE)):
        raise SystemExit(f"{source} does not hold each of the {SIZE} networks once")
    columns: dict[str, np.ndarray] = {
        f"run{n + 1}": np.array([row["cifar10_test_runs"][n] for row in rows]) for n in range(3)
    }
    exact: dict[str, np.ndarray] = {
        name: column.astype(np.float32) for name, column in columns.items()
    }
    if any((exact[name] != column).any() for name, column in columns.items()):
        raise SystemExit(f"{source} holds accuracies that float32 does not")
    for name in ("params", "macs"):
        exact[name] = np.array([row[name] for row in rows], dtype=np.int32)
    content = packed(exact)
    back = parquet.read_table(io.BytesIO(content))
    for name, column in exact.items():
        if back[name].to_numpy().tobytes() != column.tobytes():
            raise SystemExit(f"{name} changed while it was packed")
    write_bytes(target, content)
    return len(content)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(f"{TARGET}: {main(Path(sys.argv[1]))} bytes, bit for bit the source's numbers")
