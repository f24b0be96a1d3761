"""Budgets on NAS-Bench-201: their size, and published results within them.

Latencies are those of HW-NAS-Bench, of networks of 16 channels and 5 cells a stage on images of 32
pixels; sizes and multiply-accumulates are counted at the same size.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archwright.spaces import Size, get_space, read_architecture
from archwright.tables import nasbench201

SIZE = Size(channels=16, cells=5)
"""What was measured."""
MEASURED_AT: dict[str, Any] = {"deploy_channels": 16, "deploy_cells": 5, "deploy_image_size": 32}
"""The same, as options of a search."""


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """Published result within a budget: the latency in milliseconds, and percent on CIFAR-100."""

    device: str
    budget_ms: float
    latency_ms: float
    accuracy: float


PUBLISHED = tuple(
    PublishedResult(device=device, budget_ms=limit, latency_ms=took, accuracy=accuracy)
    for device, limit, took, accuracy in (
        ("eyeriss", 5.0, 3.9, 71.5),
        ("eyeriss", 7.0, 5.1, 71.8),
        ("eyeriss", 9.0, 9.1, 73.5),
        ("fpga", 4.0, 3.8, 70.2),
        ("fpga", 5.0, 4.7, 71.8),
        ("fpga", 6.0, 7.4, 73.5),
    )
)
"""HELP with MetaD2A (Lee et al., NeurIPS 2021, table 4), as rounded there."""


def budget_of(device: str, percentile: float) -> float:
    """Return the latency in ms that `percentile` percent of the measured networks stay below."""
    delays = nasbench201.latency(device)
    return float(np.percentile(delays[~np.isnan(delays)], percentile))


def size_of(percentile: float) -> float:
    """Return the size in MB, in float32, that `percentile` percent of the networks stay below."""
    return float(np.percentile(sizes_mb(), percentile))


@cache
def sizes_mb() -> NDArray[np.float64]:
    """Count the MB of weights in float32 of each network of the table, all edges as published."""
    from archwright.cost import DecisionTable
    from archwright.cost.expected.additive import params

    layout = DecisionTable(get_space("nasbench201"), SIZE)
    return 4e-6 * params(layout)(layout.one_hots(_every())).numpy()


@cache
def live_macs() -> NDArray[np.float64]:
    """Count the multiply-accumulates of the live part of each network of the table."""
    from archwright.cost import DecisionTable
    from archwright.cost.expected.additive import macs

    layout = DecisionTable(get_space("nasbench201"), SIZE)
    return macs(layout, live=True)(layout.one_hots(_every())).numpy()


@cache
def _every() -> list[Any]:
    return [read_architecture(text) for text in nasbench201.architectures()]
