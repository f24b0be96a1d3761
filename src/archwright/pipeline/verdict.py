"""Whether the final network is within the budgets, as it was measured and counted."""

from collections.abc import Mapping
from typing import Any

from archwright.cost.peak import peak_bytes
from archwright.engine.trained import TrainedNetwork
from archwright.nas.loop.result import SearchResult
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.result import Verdict


def verdicts(
    config: BuildConfig, found: SearchResult, final: TrainedNetwork, exported: Mapping[str, Any]
) -> tuple[Verdict, ...]:
    """A verdict on each budget.

    Latency is that of the exported file on this machine; what a device of HW-NAS-Bench takes, and
    energy, cannot be measured here: they are those of the network before it was pruned.
    """
    predicted = found.costs or {}
    values: dict[str, float] = {
        **predicted,
        "macs": exported["macs"],
        "params": exported["params"],
        "size_mb": exported["size_mb"],
        "memory_mb": peak_bytes(final.network) / 1e6,
    }
    here = config.latency_device is None
    if here:
        values["latency_ms"] = exported["latency_ms"]
    return tuple(
        Verdict(
            cost=cost,
            limit=limit,
            predicted=predicted[cost],
            value=values[cost],
            measured=here and cost == "latency_ms",
        )
        for cost, limit in config.limits.items()
    )
