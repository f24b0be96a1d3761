"""Targets of a pruning: the most that the network may cost, from its configuration."""

from collections.abc import Sequence
from functools import cache, partial

from archwright.cost.contract import Cost, CostContext
from archwright.cost.registry import target_costs
from archwright.graph import Network, Pruning
from archwright.graph.passes.rewire import deletable, rewire
from archwright.pruning.config import PruneConfig
from archwright.pruning.latency import AdditiveLatency, measured_latency, min_latency
from archwright.pruning.select import Target, select_greedy


def targets_of(config: PruneConfig, network: Network) -> list[Target]:
    """Return every target of a configuration.

    A limit of at most 1 can be a fraction of the whole network's cost.
    """
    found: list[Target] = []
    for name, cost in target_costs().items():
        limit = getattr(config, name)
        if limit is not None and cost.profiled:
            found.append(_timed(cost, network, limit, firm=config.latency_firm))
        elif limit is not None:
            found.append(_counted(cost, network, limit))
    return found


def require_reachable(network: Network, targets: Sequence[Target], pruning: Pruning) -> None:
    """Check that the firm targets can be met.

    Raises:
        ConfigError: they cannot; the text states the least reachable cost.
    """
    firm = [target for target in targets if target.firm]
    if firm:
        select_greedy(dict.fromkeys(deletable(network), 0.0), firm, pruning)


def _counted(cost: Cost, network: Network, limit: float) -> Target:
    def left(pruning: Pruning) -> float:
        return _read(cost, rewire(network, pruning))

    whole = _read(cost, network) if cost.share and limit <= 1 else 1.0
    return Target(name=cost.target_flag, unit=cost.unit, cost=left, limit=limit * whole)


def _read(cost: Cost, network: Network) -> float:
    value = cost.of_network(network, CostContext())
    assert value is not None, f"{cost.name} has target_help, and no of_network"
    return value


def _timed(cost: Cost, network: Network, limit: float, *, firm: bool) -> Target:
    added = AdditiveLatency(network)

    @cache
    def measured(pruning: Pruning) -> float:
        return min_latency(partial(measured_latency, rewire(network, pruning)), limit)

    return Target(
        name=cost.target_flag,
        unit=cost.unit,
        cost=lambda pruning: added(rewire(network, pruning)),
        limit=limit,
        measured=measured,
        firm=firm,
    )
