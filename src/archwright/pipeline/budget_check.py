"""Check of the final network against the budgets, as it was measured and counted."""

from collections.abc import Mapping
from typing import Any

from archwright.backends.formats import WEIGHT_BYTES
from archwright.cost.contract import CostContext
from archwright.cost.registry import get_cost
from archwright.engine.networks.trained import TrainedNetwork
from archwright.nas.loop.result import SearchResult
from archwright.pipeline.config import BuildConfig
from archwright.report.budgets import BudgetCheck


def check_budgets(
    config: BuildConfig, found: SearchResult, final: TrainedNetwork, exported: Mapping[str, Any]
) -> tuple[BudgetCheck, ...]:
    """Return a check of each budget.

    Latency is that of the exported file on this machine. The latency on a device of HW-NAS-Bench,
    and energy, cannot be measured here: their values are those of the network before pruning.
    """
    predicted = found.costs or {}
    context = CostContext(weight_bytes=WEIGHT_BYTES[config.weights])
    made: list[BudgetCheck] = []
    for name, limit in config.limits.items():
        cost = get_cost(name)
        measured = cost.profiled and config.latency_device is None
        value = exported[name] if measured else cost.of_network(final.network, context)
        value = predicted[name] if value is None else value
        made.append(
            BudgetCheck(
                cost=name, limit=limit, predicted=predicted[name], value=value, measured=measured
            )
        )
    return tuple(made)
