"""NAS-Bench-Macro: the accuracies of 6,561 networks of inverted residuals on CIFAR-10.

X. Su, T. Huang, Y. Li, S. You, F. Wang, C. Qian, C. Zhang and C. Xu, "Prioritized Architecture
Sampling with Monto-Carlo Tree Search", CVPR 2021; its repository xiusu/NAS-Bench-Macro is under
the Apache licence 2.0. Accuracies are in percent, of three trainings of 50 epochs each.

An architecture is eight digits, one a block: 0 identity, 1 kernel 3 and expansion 3, 2 kernel 5
and expansion 6. Every column is in the order of these numbers to base 3. Nothing here needs
PyTorch; the table is read at the first question and kept.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ConfigError, GenotypeError

BLOCKS = 8
OPERATIONS = ("identity", "mb3_3x3", "mb6_5x5")
SIZE = len(OPERATIONS) ** BLOCKS

_FILE = Path(__file__).with_name("nasbench_macro.parquet")


@dataclass(frozen=True, slots=True)
class MacroEntry:
    """The measurements of one network; `rank` is 1 for the best mean, equals share the better."""

    arch: str
    index: int
    cifar10_test: float
    cifar10_test_runs: tuple[float, ...]
    params: int
    macs: int
    rank: int


def is_macro(text: str) -> bool:
    """Return whether `text` is written as an architecture of this table: eight digits."""
    return len(text) == BLOCKS and text.isascii() and text.isdigit()


def encode(arch: str) -> int:
    """Return the number below `SIZE` that the eight digits are to base 3.

    Raises:
        GenotypeError: they are not eight digits from 0 to 2 (the first wrong column is named).
    """
    text = arch.strip()
    for column, digit in enumerate(text, start=1):
        if digit not in "012":
            raise GenotypeError(
                f"not a NAS-Bench-Macro architecture: column {column} reads {digit!r}, expected "
                f"0, 1 or 2"
            )
    if len(text) != BLOCKS:
        raise GenotypeError(
            f"a NAS-Bench-Macro architecture has {BLOCKS} digits, one a block, got {len(text)}"
        )
    return int(text, 3)


def decode(code: int) -> str:
    """Return the eight digits of a number from `encode`.

    Raises:
        GenotypeError: it is not from 0 to `SIZE` - 1.
    """
    if not 0 <= code < SIZE:
        raise GenotypeError(f"NAS-Bench-Macro has the networks 0 to {SIZE - 1}, there is no {code}")
    return "".join(str(code // 3**place % 3) for place in reversed(range(BLOCKS)))


def lookup(arch: str) -> MacroEntry:
    """Return the measurements of the network of eight digits.

    Raises:
        GenotypeError: as `encode`.
    """
    return _entry(encode(arch))


def accuracy() -> NDArray[np.float64]:
    """Return the mean test accuracy of every network in percent (read-only)."""
    return _table().mean


def runs() -> NDArray[np.float64]:
    """Return the test accuracies [6561, 3] of the three trainings in percent (read-only)."""
    return _table().runs


def counts(cost: str) -> NDArray[np.int64]:
    """Return `params` or `macs` of every network, as the benchmark has them (read-only).

    Raises:
        ConfigError: it has no such count.
    """
    if cost not in ("params", "macs"):
        raise ConfigError(f"NAS-Bench-Macro counts params and macs, not {cost!r}")
    return _table().params if cost == "params" else _table().macs


def optimum() -> MacroEntry:
    """Return the network with the best mean accuracy."""
    return _entry(int(np.argmax(accuracy())))


@dataclass(frozen=True, slots=True)
class _Table:
    runs: NDArray[np.float64]
    mean: NDArray[np.float64]
    params: NDArray[np.int64]
    macs: NDArray[np.int64]


@cache
def _table() -> _Table:
    from pyarrow import parquet

    stored = parquet.ParquetFile(_FILE).read(use_threads=False).combine_chunks()

    def column(name: str) -> NDArray[np.number[Any]]:
        return cast("NDArray[np.number[Any]]", np.from_dlpack(stored[name].chunk(0)))

    trainings = np.stack([column(f"run{n}") for n in (1, 2, 3)], axis=1).astype(np.float64)
    table = _Table(
        runs=trainings,
        mean=trainings.mean(axis=1),
        params=column("params").astype(np.int64),
        macs=column("macs").astype(np.int64),
    )
    for array in (table.runs, table.mean, table.params, table.macs):
        array.flags.writeable = False
    return table


def _entry(index: int) -> MacroEntry:
    table = _table()
    return MacroEntry(
        arch=decode(index),
        index=index,
        cifar10_test=float(table.mean[index]),
        cifar10_test_runs=tuple(map(float, table.runs[index])),
        params=int(table.params[index]),
        macs=int(table.macs[index]),
        rank=1 + int(np.count_nonzero(table.mean > table.mean[index])),
    )
