"""NAS-Bench-201: what all 15,625 cells reach, and what they cost on six devices.

Accuracies: X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search", ICLR 2020, and X. Dong, L. Liu, K. Musial and B. Gabrys, "NATS-Bench:
Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021 (its topology space).
Latencies and energies: C. Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search
Benchmark", ICLR 2021.

Accuracies are in percent, latencies in milliseconds, energies in millijoules. After 200 epochs an
accuracy is the mean over the benchmark's seeds, after 12 it is that of one seed. Every column has
one entry an architecture, in the order of the benchmark's own index, which `architectures` gives.
Some cells do not use their input (accuracy at chance): their latencies near zero are no mistake.

Nothing here needs PyTorch; the table (1 MB) is read at the first question and kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ConfigError, GenotypeError, unknown

__all__ = [
    "DATASETS",
    "DEVICES",
    "ENERGY_DEVICES",
    "OPERATIONS",
    "SIZE",
    "Entry",
    "accuracy",
    "architectures",
    "best_within",
    "decode",
    "encode",
    "energy",
    "latency",
    "lookup",
    "optimum",
]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DATASETS = ("cifar10", "cifar100", "imagenet16")
DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
ENERGY_DEVICES = ("edgegpu", "eyeriss", "fpga")
SIZE = len(OPERATIONS) ** 6

Column = NDArray[np.float64]

_FILE = Path(__file__).with_name("nasbench201.parquet")
_TRAININGS = (("test", 200), ("test", 12), ("val", 12))
# What stands around the six operations of a cell: |op~0|+|op~0|op~1|+|op~0|op~1|op~2|
_AROUND = ("|", "~0|+|", "~0|", "~1|+|", "~0|", "~1|", "~2|")
_MISSING = -1.0  # how HW-NAS-Bench writes a latency that was not measured


@dataclass(frozen=True, slots=True)
class Entry:
    """All that the table knows about one architecture.

    Accuracies are in percent: `..._test` after 200 epochs, the others after 12. The mappings go
    from a data set (`DATASETS`) to a device (`DEVICES`, `ENERGY_DEVICES`); None stands where a
    latency was not measured. A rank is 1 for the best of all 15,625 by test accuracy after
    200 epochs, and equal accuracies share the better rank.
    """

    arch: str
    index: int
    cifar10_test: float
    cifar100_test: float
    imagenet16_test: float
    cifar10_test_12: float
    cifar10_val_12: float
    cifar100_test_12: float
    cifar100_val_12: float
    imagenet16_test_12: float
    imagenet16_val_12: float
    latencies_ms: Mapping[str, Mapping[str, float | None]] = field(hash=False)
    energies_mj: Mapping[str, Mapping[str, float]] = field(hash=False)
    ranks: Mapping[str, int] = field(hash=False)

    @property
    def latency_ms(self) -> Mapping[str, float | None]:
        """Latency on each device for a CIFAR-10 image, in milliseconds."""
        return self.latencies_ms["cifar10"]

    @property
    def energy_mj(self) -> Mapping[str, float]:
        """Energy on each device for a CIFAR-10 image, in millijoules."""
        return self.energies_mj["cifar10"]

    @property
    def rank(self) -> int:
        """The rank by CIFAR-10 test accuracy."""
        return self.ranks["cifar10"]


def encode(arch: str) -> int:
    """The cell as one number below `SIZE`: its six operations as digits to base 5, first one first.

    Args:
        arch: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, where each op is one of `OPERATIONS`;
            blanks before and after it do not matter.

    Raises:
        GenotypeError: The string is not of that form; the error names the column.
    """
    text = arch.rstrip()
    at = len(text) - len(text.lstrip())
    code = 0
    for number, around in enumerate(_AROUND):
        for offset, mark in enumerate(around):
            if not text.startswith(mark, at + offset):
                raise _malformed(text, at + offset, repr(around[offset:]))
        at += len(around)
        if number == len(OPERATIONS) + 1:
            break
        word = _word(text, at)
        if word not in OPERATIONS:
            raise _malformed(text, at, f"one of {', '.join(OPERATIONS)}")
        code = code * len(OPERATIONS) + OPERATIONS.index(word)
        at += len(word)
    if at < len(text):
        raise _malformed(text, at, "the end")
    return code


def decode(code: int) -> str:
    """The architecture string of a number from `encode`.

    Raises:
        GenotypeError: The number is not from 0 to `SIZE` - 1.
    """
    if not 0 <= code < SIZE:
        raise GenotypeError(f"NAS-Bench-201 has the cells 0 to {SIZE - 1}, there is no {code}")
    names = [OPERATIONS[code // 5**place % 5] for place in (5, 4, 3, 2, 1, 0)]
    return "".join(a + b for a, b in zip(_AROUND, [*names, ""], strict=True))


def _word(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] not in "|~+":
        end += 1
    return text[at:end]


def _malformed(text: str, at: int, expected: str) -> GenotypeError:
    """The one place to say where a string stops being an architecture, and what is expected."""
    rest = text[at:] if len(text) - at <= 24 else text[at : at + 24] + "..."
    found = repr(rest) if rest else "the end"
    return GenotypeError(
        f"not a NAS-Bench-201 architecture: column {at + 1} reads {found}, expected {expected}"
    )


def lookup(arch: str) -> Entry:
    """All that is known about the architecture, written as `encode` takes it.

    Raises:
        GenotypeError: The string is not an architecture of the space.
    """
    return _entry(int(_table().index_of_code[encode(arch)]))


def architectures() -> tuple[str, ...]:
    """All 15,625 architecture strings in the order of every column."""
    return _architectures()


def accuracy(dataset: str = "cifar10", *, split: str = "test", epochs: int = 200) -> Column:
    """The accuracy of every architecture in percent (read-only, in the order of `architectures`).

    Args:
        dataset: One of `DATASETS`.
        split: "test", or "val" (known after 12 epochs only).
        epochs: 200 or 12.

    Raises:
        ConfigError: The data set is unknown, or there is no such training.
    """
    _check("data set", dataset, DATASETS)
    if (split, epochs) not in _TRAININGS:
        have = ", ".join(f"{name} after {number}" for name, number in _TRAININGS)
        raise ConfigError(
            f"NAS-Bench-201 has no {split!r} accuracy after {epochs} epochs here: it has {have}"
        )
    return _table().columns[f"{dataset}_{split}_{epochs}"]


def latency(device: str, dataset: str = "cifar10") -> Column:
    """The latency of every architecture in milliseconds, NaN where it was not measured (read-only).

    Raises:
        ConfigError: The device or the data set is unknown.
    """
    _check("device", device, DEVICES)
    _check("data set", dataset, DATASETS)
    return _table().columns[f"{dataset}_{device}_latency_ms"]


def energy(device: str, dataset: str = "cifar10") -> Column:
    """The energy that every architecture takes for one image, in millijoules (read-only).

    Raises:
        ConfigError: The data set is unknown, or no energy was measured on the device.
    """
    _check("device with a measured energy", device, ENERGY_DEVICES)
    _check("data set", dataset, DATASETS)
    return _table().columns[f"{dataset}_{device}_energy_mj"]


def optimum(dataset: str = "cifar10") -> Entry:
    """The architecture with the best test accuracy after 200 epochs, of equals the first.

    Raises:
        ConfigError: The data set is unknown.
    """
    return _entry(int(np.argmax(accuracy(dataset))))


def best_within(device: str, max_latency_ms: float, dataset: str = "cifar10") -> Entry:
    """The most accurate architecture whose latency is known and at most `max_latency_ms`.

    Accuracy and latency are those for `dataset`; of equally accurate ones the fastest is taken.

    Raises:
        ConfigError: The device or the data set is unknown, or nothing is that fast.
    """
    delay_ms, percent = latency(device, dataset), accuracy(dataset)
    fast = np.flatnonzero(delay_ms <= max_latency_ms)  # NaN compares as false
    if fast.size == 0:
        raise ConfigError(
            f"no architecture runs within {max_latency_ms:g} ms on {device} ({dataset}): "
            f"the fastest takes {np.nanmin(delay_ms):.4g} ms"
        )
    return _entry(int(fast[np.lexsort((delay_ms[fast], -percent[fast]))[0]]))


def _check(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(unknown(kind, name, known))


@dataclass(frozen=True, slots=True)
class _Table:
    index_of_code: NDArray[np.intp]
    columns: Mapping[str, Column]


@cache
def _table() -> _Table:
    from pyarrow import parquet

    # Not read_table, and not to_numpy: both import pandas where it is installed, which takes longer
    # than all the rest.
    stored = parquet.ParquetFile(_FILE).read(use_threads=False).combine_chunks()
    # The rows are sorted by code, which makes alike cells neighbours and the file small.
    index_of_code = np.from_dlpack(stored["index"].chunk(0)).astype(np.intp)
    columns: dict[str, Column] = {}
    for name in stored.column_names:
        if name in ("code", "index"):
            continue
        column = np.empty(SIZE)
        column[index_of_code] = np.from_dlpack(stored[name].chunk(0))
        if name.endswith("_latency_ms"):
            column[column == _MISSING] = np.nan
        column.flags.writeable = False
        columns[name] = column
    return _Table(index_of_code, columns)


@cache
def _architectures() -> tuple[str, ...]:
    return tuple(decode(int(code)) for code in np.argsort(_table().index_of_code))


def _entry(index: int) -> Entry:
    row = {name: float(column[index]) for name, column in _table().columns.items()}

    def measured(name: str) -> float | None:
        return None if np.isnan(row[name]) else row[name]

    return Entry(
        arch=decode(int(np.flatnonzero(_table().index_of_code == index)[0])),
        index=index,
        cifar10_test=row["cifar10_test_200"],
        cifar100_test=row["cifar100_test_200"],
        imagenet16_test=row["imagenet16_test_200"],
        cifar10_test_12=row["cifar10_test_12"],
        cifar10_val_12=row["cifar10_val_12"],
        cifar100_test_12=row["cifar100_test_12"],
        cifar100_val_12=row["cifar100_val_12"],
        imagenet16_test_12=row["imagenet16_test_12"],
        imagenet16_val_12=row["imagenet16_val_12"],
        latencies_ms={
            dataset: {device: measured(f"{dataset}_{device}_latency_ms") for device in DEVICES}
            for dataset in DATASETS
        },
        energies_mj={
            dataset: {device: row[f"{dataset}_{device}_energy_mj"] for device in ENERGY_DEVICES}
            for dataset in DATASETS
        },
        ranks={
            dataset: 1 + int(np.count_nonzero(accuracy(dataset) > row[f"{dataset}_test_200"]))
            for dataset in DATASETS
        },
    )
