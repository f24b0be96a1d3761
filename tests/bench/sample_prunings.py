"""Sample results of prunings, for tests."""

from typing import Any

from archwright.bench.engine.results import Results
from archwright.bench.pruning.config import FRESH, PruningConfig
from archwright.bench.pruning.measurements import PrunedRow

FILE: dict[str, Any] = {
    "versions": {"torch": "2"},
    "hardware": "a machine",
    "threads": 1,
}


def row(method: str, seed: int, target: float, top1: float, **fields: Any) -> PrunedRow:
    """A network of half the parameters, made from one that gets 60 % right."""
    usual: dict[str, Any] = {
        "fusion": None,
        "cut": "",
        "macs": round(1000 * target),
        "params": 50,
        "macs_before": 1000,
        "params_before": 100,
        "top1_before": 60.0,
        "top1_pruned": None if method in FRESH else top1 - 10,
        "seconds": 1.0,
    }
    return PrunedRow(method=method, seed=seed, target=target, top1=top1, **{**usual, **fields})


def rows() -> list[PrunedRow]:
    """Two seeds of an unpruned network, two fusions and a fresh network, timed."""

    def timed(ratio: float) -> dict[str, Any]:
        latency = {"batch": 1, "rounds": 9, "ms": ratio, "unpruned_ms": 1.0, "time_ratio": ratio}
        return {"latency": [latency]}

    return [
        *(row("unpruned", seed, 1.0, 62.0 + seed, params=100, **timed(1.0)) for seed in (0, 1)),
        *(row("nodes", s, 0.5, 58.0 - 2 * s, fusion="sum", **timed(0.5 + s / 10)) for s in (0, 1)),
        *(row("nodes", seed, 0.7, 59.0, fusion="sum") for seed in (0, 1)),
        *(row("nodes", seed, 0.7, 60.0, fusion="linear+se") for seed in (0, 1)),
        row("fresh", 0, 0.7, 50.0, fusion="linear+se"),
    ]


def results(*found: PrunedRow, **settings: Any) -> Results:
    """A file of them."""
    config = PruningConfig(network="darts-v2", data="digits", **settings)
    content = [one.to_json() for one in found or rows()]
    command = PruningConfig.command(config.settings(), content)
    return Results(command=command, settings=config.settings(), rows=content, **FILE)
