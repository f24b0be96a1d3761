"""Accuracy of predicted latencies, and of budgets that are checked against their bounds.

Legend: N architectures, E decisions, O candidates of the largest decision.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archwright.bench.engine.results import (
    Results,
    adding_to,
    read_results,
    require_same,
    require_writable,
    write_results,
)
from archwright.bench.engine.statistics import spearman
from archwright.bench.predictor.config import PredictorConfig
from archwright.cost import DecisionTable, fit
from archwright.cost.learned.predictor import fit_predictor
from archwright.engine.device import describe_hardware, versions
from archwright.spaces import Size, get_space, read_architecture
from archwright.tables import nasbench201

Vector = NDArray[np.float64]

PERCENTILES = (20, 40, 60)
"""Budgets: so many percent of the measured architectures are within them."""
_AT_ONCE = 2000


def bench_predictor(config: PredictorConfig) -> Results:
    """Measure every device and seed that is missing in the results file, and return all of its
    rows.

    Raises:
        RunError: the file holds something else, or results of other settings; it cannot be
            written.
    """
    if config.out is not None:
        require_writable(config.out)
    rows = _held(config)
    known = {(row["device"], row["seed"]) for row in rows}
    space = _Space()
    for device in config.all_devices:
        for seed in config.all_seeds:
            if (device, seed) not in known:
                rows = _kept(config, rows, _row(config, space, device, seed))
    return _results(config, rows)


def _held(config: PredictorConfig) -> list[dict[str, Any]]:
    if config.out is None or not config.out.exists():
        return []
    held = read_results(config.out)
    require_same(config.out, held, _results(config, []))
    return held.rows


def _kept(
    config: PredictorConfig, rows: list[dict[str, Any]], row: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows with a new one, in the results file too, to which other processes may add."""
    if config.out is None:
        return [*rows, row]
    with adding_to(config.out):
        place = (row["device"], row["seed"])
        others = [one for one in _held(config) if (one["device"], one["seed"]) != place]
        write_results(config.out, _results(config, [*others, row]))
    return [*others, row]


def _results(config: PredictorConfig, rows: list[dict[str, Any]]) -> Results:
    order = {name: place for place, name in enumerate(nasbench201.DEVICES)}
    return Results(
        command=PredictorConfig.command(config.settings(), rows),
        settings=config.settings(),
        versions=versions(),
        hardware=describe_hardware(torch.device("cpu")),
        threads=torch.get_num_threads(),
        rows=sorted(rows, key=lambda row: (order[row["device"]], row["seed"])),
    )


class _Space:
    """All architectures of NAS-Bench-201 as weights [N, E, O], at the size that was measured."""

    def __init__(self) -> None:
        self.layout = DecisionTable(get_space("nasbench201"), Size(channels=16, cells=5))
        self.architectures = [read_architecture(text) for text in nasbench201.architectures()]
        self.weights = self.layout.one_hots(self.architectures)
        self.connected = (self.layout.live(self.weights).sum(dim=(1, 2)) > 0).numpy()


@dataclass(frozen=True)
class _BudgetCheck:
    """Check of a budget: measured latencies, and the bounds that budgets are checked against."""

    limit: float
    measured: Vector
    held: Vector
    usable: NDArray[np.bool_]

    def over(self, strengths: Tensor) -> Iterator[bool]:
        """Yield, for each row of strengths [choices, N], whether the strongest accepted
        architecture is over the limit.
        """
        admitted = torch.from_numpy(self.usable & (self.held <= self.limit))
        if not admitted.any():
            return
        for index in strengths.masked_fill(~admitted, -torch.inf).argmax(dim=1).tolist():
            yield bool(self.measured[index] > self.limit)

    def share_over(self, strengths: Tensor) -> float:
        """Return the fraction of the choices that are over the limit."""
        found = list(self.over(strengths))
        return sum(found) / max(len(found), 1)

    def regret(self, accuracies: Vector) -> float | None:
        """Return the best accuracy within the limit minus the best accepted one, in points; None:
        none is accepted.
        """
        within = self.usable & (self.measured <= self.limit)
        admitted = self.usable & (self.held <= self.limit)
        if not (admitted & within).any():
            return None
        return float(accuracies[within].max() - accuracies[admitted & within].max())


def _row(config: PredictorConfig, space: _Space, device: str, seed: int) -> dict[str, Any]:
    latencies = nasbench201.latency(device)
    known = np.flatnonzero(~np.isnan(latencies))
    learned = np.random.default_rng(seed).permutation(known)[: config.samples]
    others = np.setdiff1d(known, learned)
    sample = [space.architectures[index] for index in learned]
    began = time.perf_counter()
    predictor = fit_predictor(space.layout, sample, latencies[learned].tolist())
    seconds = time.perf_counter() - began
    said = torch.cat([predictor(some) for some in space.weights.split(_AT_ONCE)]).numpy()
    additive = fit(space.layout, sample, latencies[learned].tolist())(space.weights).numpy()
    residuals = latencies[others] - said[others]
    row: dict[str, Any] = {
        "device": device,
        "seed": seed,
        "samples": len(learned),
        "held_out": len(others),
        "spearman": spearman(said[others], latencies[others]),
        "additive_spearman": spearman(additive[others], latencies[others]),
        "median_error": float(np.median(np.abs(residuals) / latencies[others])),
        "error_ms": float(np.sqrt(np.mean(residuals**2))),
        "left_out_error_ms": predictor.error,
        "margin_ms": predictor.margin,
        "beyond_bound": float(np.mean(residuals > predictor.margin)),
        "fit_seconds": round(seconds, 2),
    }
    generator = torch.Generator().manual_seed(seed)
    shape = (config.choices, *space.weights.shape[1:])
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    strengths = torch.einsum("ceo,neo->cn", drawn, space.weights)
    usable = space.connected & ~np.isnan(latencies)
    row["budgets"] = [
        _budget(percentile, latencies, said, predictor.margin, learned, usable, strengths)
        for percentile in PERCENTILES
    ]
    return row


def _budget(
    percentile: int,
    latencies: Vector,
    said: Vector,
    margin: float,
    learned: NDArray[np.intp],
    usable: NDArray[np.bool_],
    strengths: Tensor,
) -> dict[str, Any]:
    limit = float(np.nanpercentile(latencies, percentile))
    held, plain = said + margin, said.copy()
    held[learned] = plain[learned] = latencies[learned]  # what was measured is known
    with_bound = _BudgetCheck(limit, latencies, held, usable)
    without = _BudgetCheck(limit, latencies, plain, usable)
    return {
        "percentile": percentile,
        "limit_ms": limit,
        "over": with_bound.share_over(strengths),
        "over_without_margin": without.share_over(strengths),
        "regret_points": with_bound.regret(nasbench201.accuracy()),
    }
