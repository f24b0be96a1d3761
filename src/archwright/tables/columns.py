"""Columns of the NAS-Bench-201 table, read from its file one by one.

Only `latencies`, `accuracies` and `nasbench201` import this module, so that the imports of a
program tell which columns it can reach. Nothing here needs PyTorch.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ConfigError, unknown
from archwright.tables.cells import SIZE, decode

DATASETS = ("cifar10", "cifar100", "imagenet16")

Column = NDArray[np.float64]
"""A value for each architecture, in the order of the benchmark's own index."""

_FILE = Path(__file__).with_name("nasbench201.parquet")
_MISSING = -1.0
"""How HW-NAS-Bench writes a latency that was not measured."""


@cache
def read_column(name: str) -> Column:
    """Return the column of that name, read-only; NaN where a latency was not measured."""
    column = np.empty(SIZE)
    column[index_of_code()] = _stored(name)
    if name.endswith("_latency_ms"):
        column[column == _MISSING] = np.nan
    column.flags.writeable = False
    return column


@cache
def index_of_code() -> NDArray[np.intp]:
    """Return the benchmark's own index of each cell, in the order of `cells.encode`."""
    # The rows are sorted by code, which makes alike cells neighbours and the file small.
    return _stored("index").astype(np.intp)


@cache
def architectures() -> tuple[str, ...]:
    """Return all 15,625 architecture strings, in the order of every column."""
    return tuple(decode(int(code)) for code in np.argsort(index_of_code()))


def require_known(kind: str, name: str, known: tuple[str, ...]) -> None:
    """Check that the name of a device or data set is a known one.

    Raises:
        ConfigError: it is not (the nearest is named).
    """
    if name not in known:
        raise ConfigError(unknown(kind, name, known))


def _stored(name: str) -> NDArray[np.generic]:
    from pyarrow import parquet

    # Not read_table, and not to_numpy: both import pandas where it is installed, which takes longer
    # than all the rest.
    with parquet.ParquetFile(_FILE) as file:
        stored = file.read(columns=[name], use_threads=False).combine_chunks()
    return np.from_dlpack(stored[name].chunk(0))
