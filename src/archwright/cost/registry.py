"""Every cost by its name."""

from collections.abc import Callable
from pathlib import Path

from archwright.cost.additive import additive, macs, params
from archwright.cost.decision_table import DecisionTable
from archwright.cost.latency import read_latency
from archwright.cost.measured import device_energy, device_latency
from archwright.cost.memory import activation_bytes, kept_bytes
from archwright.cost.model import AdditiveCostModel, CostModel, GraphCostModel
from archwright.cost.peak import fixed_peak_bytes, peak_bytes
from archwright.errors import ConfigError, unknown
from archwright.spaces import Size, Space

COSTS = (
    *("macs", "params", "size_mb", "memory_mb", "training_memory_mb"),
    *("latency_ms", "energy_mj"),
)
"""What networks cost, the unit in the name; MB are 10^6 bytes."""


def cost_model(
    name: str,
    space: Space,
    size: Size,
    *,
    weight_bytes: int = 4,
    latency_device: str | None = None,
    latency_table: Path | None = None,
) -> CostModel:
    """The cost of that name (one of `COSTS`) of the space's networks at the deployment size.

    `weight_bytes` is the size of an exported weight: 4 in float32, 1 in int8. Latency and energy
    are those measured on a device of HW-NAS-Bench, or those of a table (see `read_latency`).

    Raises:
        ConfigError: there is no such cost, no one source of latencies, the device's networks are
            of another space or size, or the table is unusable.
    """
    layout = DecisionTable(space, size)
    graph: dict[str, Callable[[], CostModel]] = {
        "macs": lambda: AdditiveCostModel(name=name, layout=layout, parts=macs(layout)),
        "params": lambda: AdditiveCostModel(name=name, layout=layout, parts=params(layout)),
        "size_mb": lambda: AdditiveCostModel(
            name=name, layout=layout, parts=params(layout).times(weight_bytes / 1e6)
        ),
        "memory_mb": lambda: GraphCostModel(
            name=name,
            layout=layout,
            exact=lambda network: peak_bytes(network) / 1e6,
            fixed=lambda network: fixed_peak_bytes(network) / 1e6,
        ),
        "training_memory_mb": lambda: GraphCostModel(
            name=name,
            layout=layout,
            exact=lambda network: activation_bytes(network) / 1e6,
            parts=additive(layout, kept_bytes).times(1e-6),
        ),
    }
    if name in graph:
        return graph[name]()
    if name not in COSTS:
        raise ConfigError(unknown("cost", name, COSTS))
    if (latency_device is None) == (latency_table is None):
        raise ConfigError(
            f"{name} needs one source of measurements: --latency-device DEVICE, or "
            f"--latency-table FILE"
        )
    if latency_table is not None:
        return read_latency(layout, latency_table, name)
    assert latency_device is not None, "one of the two is given"
    on_device = device_latency if name == "latency_ms" else device_energy
    return on_device(layout, latency_device)
