"""Pack the NAS-Bench-201 table for the package: python scripts/pack_nasbench201.py SOURCE.parquet.

The source has one row an architecture: `index`, `arch`, and float32 columns of accuracies in
percent, latencies in ms and energies in mJ. The packed table has the same float32 numbers, bit for
bit; only the architecture string becomes one integer and the rows are sorted by it, which makes
alike cells neighbours. Every column then takes the smallest of three encodings. The script reads
back what it wrote and fails if a single bit differs.
"""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from archwright.io.files import write_bytes
from archwright.tables.nasbench201 import SIZE, decode, encode

TARGET = Path(__file__).parents[1] / "src" / "archwright" / "tables" / "nasbench201.parquet"


def main(source: Path, target: Path = TARGET) -> int:
    """Pack `source` into `target` and give the size of it in bytes."""
    table = parquet.read_table(source)
    codes = np.array([encode(arch) for arch in table["arch"].to_pylist()])
    if sorted(codes) != list(range(SIZE)):
        raise SystemExit(f"{source} does not hold each of the {SIZE} architectures once")
    order = np.argsort(codes)
    columns: dict[str, np.ndarray] = {
        "code": codes[order].astype(np.int16),
        "index": table["index"].to_numpy()[order].astype(np.int16),
    }
    for name in table.column_names:
        if name not in ("index", "arch"):
            columns[name] = table[name].to_numpy()[order]
    content = packed(columns)
    check(content, table)
    write_bytes(target, content)
    return len(content)


def packed(columns: dict[str, np.ndarray]) -> bytes:
    """The columns as one parquet file, each in the encoding that makes it smallest."""
    encodings = {name: smallest_encoding(name, column) for name, column in columns.items()}
    return written(columns, encodings)


def smallest_encoding(name: str, column: np.ndarray) -> str:
    """The name of the encoding in which the column takes the fewest bytes."""
    integers = np.issubdtype(column.dtype, np.integer)
    choices = ("DICTIONARY", "PLAIN", "DELTA_BINARY_PACKED" if integers else "BYTE_STREAM_SPLIT")
    return min(choices, key=lambda choice: len(written({name: column}, {name: choice})))


def written(columns: dict[str, np.ndarray], encodings: dict[str, str]) -> bytes:
    """The columns as one parquet file, each in the encoding named for it."""
    dictionary: Any = [name for name, kind in encodings.items() if kind == "DICTIONARY"]
    others: Any = {name: kind for name, kind in encodings.items() if kind != "DICTIONARY"}
    buffer = io.BytesIO()
    parquet.write_table(
        pa.table(columns),
        buffer,
        compression="zstd",
        compression_level=19,
        use_dictionary=dictionary,
        column_encoding=others or None,
        write_statistics=False,
        store_schema=False,
    )
    return buffer.getvalue()


def check(content: bytes, source: Any) -> None:
    """Fail unless the packed table says exactly what the source says, in the source's order."""
    table = parquet.read_table(io.BytesIO(content))
    index = table["index"].to_numpy()
    codes = table["code"].to_numpy()
    row = np.empty(SIZE, dtype=np.intp)
    row[index] = np.arange(SIZE)
    row = row[source["index"].to_numpy()]
    if [decode(int(code)) for code in codes[row]] != source["arch"].to_pylist():
        raise SystemExit("an architecture changed while it was packed")
    for name in source.column_names:
        if name in ("index", "arch"):
            continue
        before, after = source[name].to_numpy(), table[name].to_numpy()[row]
        if before.dtype != np.float32 or after.tobytes() != before.tobytes():
            raise SystemExit(f"{name} changed while it was packed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(f"{TARGET}: {main(Path(sys.argv[1]))} bytes, bit for bit the source's numbers")
