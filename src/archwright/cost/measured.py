"""Costs that were measured of whole networks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from archwright.cost.additive import AdditiveCost, fit
from archwright.cost.layout import Layout
from archwright.cost.least import cheapest, first_connected, improved
from archwright.cost.model import CostModel
from archwright.errors import ConfigError, unknown
from archwright.ir import Architecture
from archwright.spaces import read_architecture, write_architecture
from archwright.tables import nasbench201

_FITTED = 2000
"""Of a larger table, so many architectures are fitted, a fixed sample."""

_PUBLISHED = {"channels": 16, "cells": 5, "image_size": 32}
"""The size of the networks that HW-NAS-Bench measured."""


@dataclass(frozen=True, kw_only=True)
class MeasuredCost(CostModel):
    """A table of architectures; for those that it does not have, what is fitted to it.

    Attributes:
        known: what was measured, by the text of the architecture (`write_architecture`).
        complete: nothing is predicted: what is not known costs infinitely much.
    """

    known: Mapping[str, float]
    complete: bool = False

    @override
    def _approximated(self) -> AdditiveCost:
        texts = list(self.known)
        order = np.random.default_rng(0).permutation(len(texts))[:_FITTED]
        sample = [texts[index] for index in order]
        architectures = [read_architecture(text) for text in sample]
        return fit(self.layout, architectures, [self.known[text] for text in sample])

    @override
    def of(self, architecture: Architecture) -> float:
        self.layout.space.check(architecture, self.layout.size)
        text = write_architecture(architecture)
        if text in self.known:
            return self.known[text]
        return math.inf if self.complete else self.surrogate.of(architecture)

    @override
    def least(self) -> tuple[float, Architecture]:
        start = cheapest(self.layout, self.surrogate.table)
        found = improved(self.layout, start, self.of)
        ranked = map(read_architecture, sorted(self.known, key=self.known.__getitem__))
        measured = first_connected(self.layout, ranked)
        if measured is None or found[0] < self.of(measured):
            return found
        return self.of(measured), measured


def device_latency(layout: Layout, device: str) -> MeasuredCost:
    """The latency in milliseconds of NAS-Bench-201 networks on one of six devices.

    Li et al., HW-NAS-Bench, ICLR 2021, for images of CIFAR-10.

    Raises:
        ConfigError: there is no such device, or networks of this space or size were not measured.
    """
    if device not in nasbench201.DEVICES:
        known = unknown("device", device, nasbench201.DEVICES)
        raise ConfigError(f"--latency-device: {known}; for another one give --latency-table FILE")
    return _on_device(layout, "latency_ms", device, nasbench201.latency(device))


def device_energy(layout: Layout, device: str) -> MeasuredCost:
    """The energy in millijoules for one image; see `device_latency`.

    Raises:
        ConfigError: as `device_latency`, or no energy was measured on the device.
    """
    if device not in nasbench201.ENERGY_DEVICES:
        reason = unknown("device with a measured energy", device, nasbench201.ENERGY_DEVICES)
        raise ConfigError(f"--latency-device: {reason}")
    return _on_device(layout, "energy_mj", device, nasbench201.energy(device))


def _on_device(layout: Layout, name: str, device: str, column: nasbench201.Column) -> MeasuredCost:
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
    pairs = zip(nasbench201.architectures(), column.tolist(), strict=True)
    known = {text: value for text, value in pairs if not math.isnan(value)}
    return MeasuredCost(name=name, layout=layout, known=known, complete=True)
