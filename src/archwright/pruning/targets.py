"""Targets of a pruning: the most that the network may cost, as the configuration says it."""

from collections.abc import Sequence
from functools import cache, partial

from archwright.cost import graph_cost
from archwright.cost.peak import peak_bytes
from archwright.graph import Network, Pruning
from archwright.graph.passes.rewire import deletable, rewire
from archwright.pruning.config import PruneConfig
from archwright.pruning.latency import AdditiveLatency, measured_latency, quietest
from archwright.pruning.select import Target, select


def targets_of(config: PruneConfig, network: Network) -> list[Target]:
    """Return every target of a configuration; up to 1 it is a share of the network's own cost."""
    found: list[Target] = []
    for name, unit in (("macs", "MACs"), ("params", "parameters")):
        asked = getattr(config, name)
        if asked is not None:
            found.append(_counted(network, name, unit, asked))
    if config.memory_mb is not None:
        found.append(_held(network, config.memory_mb))
    if config.latency_ms is not None:
        found.append(_timed(network, config.latency_ms, firm=config.latency_firm))
    return found


def require_reachable(network: Network, targets: Sequence[Target], pruning: Pruning) -> None:
    """Check that the firm targets can be met.

    Raises:
        ConfigError: they cannot; the text says how far the network comes down.
    """
    firm = [target for target in targets if target.firm]
    if firm:
        select(dict.fromkeys(deletable(network), 0.0), firm, pruning)


def _counted(network: Network, name: str, unit: str, asked: float) -> Target:
    def cost(pruning: Pruning) -> float:
        return getattr(graph_cost(rewire(network, pruning)), name)

    whole = getattr(graph_cost(network), name)
    limit = asked * whole if asked <= 1 else asked
    return Target(name=f"--{name}", unit=unit, cost=cost, limit=limit)


def _held(network: Network, asked: float) -> Target:
    def cost(pruning: Pruning) -> float:
        return peak_bytes(rewire(network, pruning)) / 1e6

    return Target(name="--memory-mb", unit="MB", cost=cost, limit=asked)


def _timed(network: Network, asked: float, *, firm: bool) -> Target:
    added = AdditiveLatency(network)

    @cache
    def measured(pruning: Pruning) -> float:
        return quietest(partial(measured_latency, rewire(network, pruning)), asked)

    return Target(
        name="--latency-ms",
        unit="ms",
        cost=lambda pruning: added(rewire(network, pruning)),
        limit=asked,
        measured=measured,
        firm=firm,
    )
