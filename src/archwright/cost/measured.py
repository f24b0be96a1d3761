"""Costs that were measured on whole networks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor
from typing_extensions import override

from archwright.cost.expected.additive import AdditiveCost, fit
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.expected.minimum import first_connected, min_cost_architecture, near_minimum
from archwright.cost.expected.model import CostModel
from archwright.cost.learned.predictor import Predictor, fit_predictor
from archwright.errors import ConfigError, unknown
from archwright.graph import Architecture
from archwright.spaces import read_architecture, write_architecture
from archwright.tables import latencies

_FITTED, _LEARNED = 2000, 600
"""Largest numbers of architectures for the additive fit and for the predictor (a fixed sample)."""

_BATCH = 1000
"""Number of architectures that are predicted together."""

_PUBLISHED = {"channels": 16, "cells": 5, "image_size": 32}
"""Size of the networks in HW-NAS-Bench."""


@dataclass(frozen=True, kw_only=True)
class MeasuredCost(CostModel):
    """Cost model of a table of architectures, with predictions for those that it lacks.

    Attributes:
        known: measured costs by the text of the architecture (`write_architecture`).
        complete: predict nothing: an architecture that is not in `known` has an infinite cost.
    """

    known: Mapping[str, float]
    complete: bool = False

    @override
    def _approximated(self) -> AdditiveCost:
        return fit(self.layout, *self._sample(_FITTED))

    @cached_property
    def predictor(self) -> Predictor:
        """Predictor that was fitted to the table."""
        return fit_predictor(self.layout, *self._sample(_LEARNED))

    def _sample(self, most: int) -> tuple[list[Architecture], list[float]]:
        """Return at most `most` architectures of the table, and their costs."""
        texts = list(self.known)
        order = np.random.default_rng(0).permutation(len(texts))[:most]
        sample = [texts[index] for index in order]
        return [self._read(text) for text in sample], [self.known[text] for text in sample]

    def _read(self, text: str) -> Architecture:
        return read_architecture(text, self.layout.space)

    @override
    def of(self, architecture: Architecture) -> float:
        return self._values([architecture], upper=False)[0]

    @override
    def bound(self, architecture: Architecture) -> float:
        return self._values([architecture], upper=True)[0]

    @override
    def bounds(self, architectures: Sequence[Architecture]) -> list[float]:
        return [
            value
            for start in range(0, len(architectures), _BATCH)
            for value in self._values(architectures[start : start + _BATCH], upper=True)
        ]

    @property
    @override
    def vectorised(self) -> bool:
        return not self.complete  # a look-up is fast enough

    def _values(self, architectures: Sequence[Architecture], *, upper: bool) -> list[float]:
        """Return the costs; with `upper`, predictions are replaced by their upper bounds."""
        for one in architectures:
            self.layout.space.check(one, self.layout.size)
        texts = [write_architecture(one) for one in architectures]
        if self.complete:
            return [self.known.get(text, math.inf) for text in texts]
        new = {
            text: one
            for text, one in zip(texts, architectures, strict=True)
            if text not in self.known and text not in self._predicted
        }
        if new:
            predicted = self.predictor(self.layout.one_hots(list(new.values())))
            self._predicted.update(zip(new, predicted.tolist(), strict=True))

        def priced(text: str) -> float:
            if text in self.known:
                return self.known[text]
            margin = self.predictor.margin if upper else 0.0
            return max(self._predicted[text] + margin, self._floor)

        return [priced(text) for text in texts]

    @cached_property
    def _predicted(self) -> dict[str, float]:
        """Predictions so far."""
        return {}

    @cached_property
    def _floor(self) -> float:
        """Lower bound of every prediction: half of the smallest measured cost."""
        return min(self.known.values()) / 2

    @override
    def expected(self, weights: Tensor) -> Tensor:
        return self.surrogate(weights) if self.complete else self.predictor(weights)

    @override
    def least(self) -> tuple[float, Architecture]:
        start = min_cost_architecture(self.layout, self.surrogate.table)
        found = near_minimum(self.layout, start, self.bound)
        ranked = map(self._read, sorted(self.known, key=self.known.__getitem__))
        measured = first_connected(self.layout, ranked)
        if measured is None or found[0] < self.bound(measured):
            return found
        return self.bound(measured), measured


def device_latency(layout: DecisionTable, device: str) -> MeasuredCost:
    """Return the latency in milliseconds of NAS-Bench-201 networks on one of six devices.

    Li et al., HW-NAS-Bench, ICLR 2021, for images of CIFAR-10.

    Raises:
        ConfigError: there are no measurements of the device, the space or the size.
    """
    if device not in latencies.DEVICES:
        known = unknown("device", device, latencies.DEVICES)
        raise ConfigError(f"--latency-device: {known}; for another one give --latency-table FILE")
    return _on_device(layout, "latency_ms", device, latencies.latency(device))


def device_energy(layout: DecisionTable, device: str) -> MeasuredCost:
    """Return the energy in millijoules for one image; see `device_latency`.

    Raises:
        ConfigError: as `device_latency`, or the device has no measured energy.
    """
    if device not in latencies.ENERGY_DEVICES:
        reason = unknown("device with a measured energy", device, latencies.ENERGY_DEVICES)
        raise ConfigError(f"--latency-device: {reason}")
    return _on_device(layout, "energy_mj", device, latencies.energy(device))


def _on_device(
    layout: DecisionTable, name: str, device: str, column: latencies.Column
) -> MeasuredCost:
    if layout.space.name != "nasbench201":
        raise ConfigError(
            f"--latency-device {device} was measured in the space nasbench201, not in "
            f"{layout.space.name}: measure its operations with archwright profile, and give "
            f"--latency-table FILE"
        )
    size = {field: getattr(layout.size, field) for field in _PUBLISHED}
    if size != _PUBLISHED:
        ours, theirs = (", ".join(f"{k} {v}" for k, v in one.items()) for one in (size, _PUBLISHED))
        raise ConfigError(
            f"--latency-device {device} was measured at {theirs}, not at {ours}: deploy at that "
            f"size, or give --latency-table FILE"
        )
    pairs = zip(latencies.architectures(), column.tolist(), strict=True)
    known = {text: value for text, value in pairs if not math.isnan(value)}
    return MeasuredCost(name=name, layout=layout, known=known, complete=True)
