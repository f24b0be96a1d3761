"""Accuracies of all NAS-Bench-201 cells: no search may import this module.

X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, and X. Dong, L. Liu, K. Musial and B. Gabrys, "NATS-Bench: Benchmarking NAS
Algorithms for Architecture Topology and Size", TPAMI 2021 (its topology space).

Accuracies are in percent: after 200 epochs the mean over the benchmark's seeds, after 12 that of
one seed. Nothing here needs PyTorch.
"""

from archwright.errors import ConfigError
from archwright.tables.columns import DATASETS, Column, read_column, require_known

_TRAININGS = (("test", 200), ("test", 12), ("val", 12))


def accuracy(dataset: str = "cifar10", *, split: str = "test", epochs: int = 200) -> Column:
    """Return each architecture's accuracy in percent (read-only, in the order of `architectures`).

    Args:
        dataset: One of `DATASETS`.
        split: "test", or "val" (known after 12 epochs only).
        epochs: 200 or 12.

    Raises:
        ConfigError: The data set is unknown, or there is no such training.
    """
    require_known("data set", dataset, DATASETS)
    if (split, epochs) not in _TRAININGS:
        have = ", ".join(f"{name} after {number}" for name, number in _TRAININGS)
        raise ConfigError(
            f"NAS-Bench-201 has no {split!r} accuracy after {epochs} epochs here: it has {have}"
        )
    return read_column(f"{dataset}_{split}_{epochs}")
