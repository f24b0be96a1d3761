"""Read and write tables of users: CSV or parquet."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archwright.errors import ConfigError
from archwright.io.files import write_bytes

Row = Mapping[str, Any]

_REST = ""
"""Key for the cells of a row that have no column."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file with a header, or of a parquet file.

    Raises:
        ConfigError: the file is missing, empty, or not such a table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"no table at {path}: {error.strerror}") from None
    try:
        rows = _parquet(content) if content.startswith(b"PAR1") else _csv(path, content)
    except (ValueError, OSError, csv.Error):  # pyarrow's errors are ValueErrors and OSErrors
        raise ConfigError(
            f"{path} is not a table: give a CSV file with a header, or parquet"
        ) from None
    if not rows:
        raise ConfigError(f"{path} has no rows")
    return rows


def _csv(path: Path, content: bytes) -> list[Row]:
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    reader = csv.DictReader(text, restkey=_REST, strict=True)
    columns = list(reader.fieldnames or ())
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigError(f"{path}, line 1: there are two columns {column!r}; remove one")
    rows: list[Row] = []
    for row in reader:
        if _REST in row:
            raise ConfigError(
                f"{path}, line {reader.line_num}: {len(row[_REST])} more cells than the "
                f"{len(columns)} columns; quote cells that contain a comma"
            )
        rows.append(row)
    return rows


def _parquet(content: bytes) -> list[Row]:
    from pyarrow import parquet

    # a thread that is still reading when an error ends the process would abort it
    return parquet.read_table(io.BytesIO(content), use_threads=False).to_pylist()


def positive(path: Path, rows: Iterable[Row], column: str, key: str) -> list[float]:
    """Return the numbers in a column; errors name a row by its `key` column.

    Raises:
        ConfigError: a cell is missing, is not a number, is not finite, or is not above zero.
    """
    found: list[float] = []
    for number, row in enumerate(rows, 1):
        given = row[column]
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 < value < math.inf:
            raise ConfigError(
                f"{path}, row {number} ({row[key]}): {column} is {given!r}, and must be a finite "
                f"number above 0; leave out rows that were not measured"
            )
        found.append(value)
    return found


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with the same columns as CSV, or as parquet if the name ends in .parquet.

    Raises:
        ConfigError: the file cannot be written.
    """
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        packed = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), packed)
        content = packed.getvalue()
    else:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
