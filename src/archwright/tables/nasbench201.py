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

`accuracies` reads accuracies, `latencies` reads latencies and energies; this module has both, and
the entries that join them. Nothing here needs PyTorch; a column is read at the first question and
kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from archwright.errors import ConfigError
from archwright.tables.accuracies import accuracy
from archwright.tables.cells import OPERATIONS, SIZE, decode, encode
from archwright.tables.columns import DATASETS, Column, architectures, index_of_code
from archwright.tables.latencies import DEVICES, ENERGY_DEVICES, energy, latency

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


@dataclass(frozen=True, slots=True)
class Entry:
    """All that the tables have of one architecture.

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


def lookup(arch: str) -> Entry:
    """Return all that is known about an architecture, written as `encode` takes it.

    Raises:
        GenotypeError: The string is not an architecture of the space.
    """
    return _entry(int(index_of_code()[encode(arch)]))


def optimum(dataset: str = "cifar10") -> Entry:
    """Return the architecture with the best test accuracy after 200 epochs, of equals the first.

    Raises:
        ConfigError: The data set is unknown.
    """
    return _entry(int(np.argmax(accuracy(dataset))))


def best_within(device: str, max_latency_ms: float, dataset: str = "cifar10") -> Entry:
    """Return the most accurate architecture whose latency is known and at most `max_latency_ms`.

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


def _entry(index: int) -> Entry:
    def measured(column: Column) -> float | None:
        value = float(column[index])
        return None if np.isnan(value) else value

    def reached(dataset: str, split: str, epochs: int) -> float:
        return float(accuracy(dataset, split=split, epochs=epochs)[index])

    return Entry(
        arch=decode(int(np.flatnonzero(index_of_code() == index)[0])),
        index=index,
        cifar10_test=reached("cifar10", "test", 200),
        cifar100_test=reached("cifar100", "test", 200),
        imagenet16_test=reached("imagenet16", "test", 200),
        cifar10_test_12=reached("cifar10", "test", 12),
        cifar10_val_12=reached("cifar10", "val", 12),
        cifar100_test_12=reached("cifar100", "test", 12),
        cifar100_val_12=reached("cifar100", "val", 12),
        imagenet16_test_12=reached("imagenet16", "test", 12),
        imagenet16_val_12=reached("imagenet16", "val", 12),
        latencies_ms={
            dataset: {device: measured(latency(device, dataset)) for device in DEVICES}
            for dataset in DATASETS
        },
        energies_mj={
            dataset: {device: float(energy(device, dataset)[index]) for device in ENERGY_DEVICES}
            for dataset in DATASETS
        },
        ranks={
            dataset: 1 + int(np.count_nonzero(accuracy(dataset) > accuracy(dataset)[index]))
            for dataset in DATASETS
        },
    )
