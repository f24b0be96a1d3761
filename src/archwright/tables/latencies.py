"""Latencies and energies of all NAS-Bench-201 cells on six devices.

C. Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021.

Latencies are in milliseconds, energies in millijoules. Some cells do not use their input (accuracy
at chance): their latencies near zero are no mistake. Nothing here needs PyTorch.
"""

from archwright.tables.columns import DATASETS, Column, architectures, read_column, require_known

__all__ = ["DEVICES", "ENERGY_DEVICES", "Column", "architectures", "energy", "latency"]

DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
ENERGY_DEVICES = ("edgegpu", "eyeriss", "fpga")


def latency(device: str, dataset: str = "cifar10") -> Column:
    """Return each architecture's latency in milliseconds (read-only), NaN where not measured.

    Raises:
        ConfigError: The device or the data set is unknown.
    """
    require_known("device", device, DEVICES)
    require_known("data set", dataset, DATASETS)
    return read_column(f"{dataset}_{device}_latency_ms")


def energy(device: str, dataset: str = "cifar10") -> Column:
    """Return the energy that each architecture takes for one image, in millijoules (read-only).

    Raises:
        ConfigError: The data set is unknown, or no energy was measured on the device.
    """
    require_known("device with a measured energy", device, ENERGY_DEVICES)
    require_known("data set", dataset, DATASETS)
    return read_column(f"{dataset}_{device}_energy_mj")
