"""Who is trained: the network in question, and those that it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from archwright.cost import graph_cost
from archwright.engine.folder import RunFolder, read_config
from archwright.engine.weights import load_weights
from archwright.errors import ConfigError, RunError
from archwright.graph import Architecture, Network
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.simplification import Simplification, simplify
from archwright.graph.passes.simplification.settings import from_settings
from archwright.lowering import GraphModule
from archwright.spaces import Size, Space, reference_architecture
from archwright.spaces.discretise import random_architecture
from archwright.training.config import Rival


@dataclass(frozen=True)
class NetworkSpec:
    """An architecture at its size, under the name that its results go by.

    `inherit` is the run folder of the search whose weights it starts from, if any; `simplified` is
    how the supernet was that the weights of a finished run came from.
    """

    name: str
    space: Space
    architecture: Architecture
    size: Size
    inherit: Path | None = None
    simplified: Simplification | None = None

    @property
    def network(self) -> Network:
        """The discrete network, without an auxiliary head."""
        return self.space.discrete(self.architecture, self.size)

    @property
    def macs(self) -> int:
        """Multiply-accumulates on one image."""
        return graph_cost(self.network).macs

    def trained(self, *, auxiliary: bool) -> Network:
        """The network to train: with a search's batch norms if it inherits, else as published.

        Raises:
            ConfigError: no auxiliary head fits.
        """
        network, simplified = self.network, self.simplified
        if self.inherit is not None:
            simplified = from_settings(read_config(self.inherit))
        if simplified is not None:
            supernet = simplify(self.space.supernet(self.size), simplified)
            network = restrict(supernet, self.architecture)
        return self.space.with_auxiliary(network, self.size) if auxiliary else network


def stored_entrant(
    settings: Mapping[str, Any], space: Space, architecture: Architecture, size: Size
) -> NetworkSpec:
    """The network in question of a training, or of its pruning, of these settings.

    Raises:
        ConfigError: they do not say how it was searched, if it inherited.
    """
    held = settings.get("inherited")
    simplified = None if held is None else from_settings(held)
    return NetworkSpec("found", space, architecture, size, simplified=simplified)


def baseline(kind: Rival, found: NetworkSpec, seed: int) -> NetworkSpec:
    """The network of that kind that `found` is compared with; it inherits nothing.

    `hand-made`: the space's reference at the width that comes nearest to the found one's MACs.
    `random`: drawn uniformly with the run's seed, at the found one's size.
    """
    if kind == "random":
        architecture = random_architecture(found.space, found.size, np.random.default_rng(seed))
        return replace(found, name=kind, architecture=architecture, inherit=None)
    architecture = reference_architecture(found.space, found.size)
    made = replace(found, name=kind, architecture=architecture, inherit=None)
    return match_macs(made, found.macs)


def match_macs(entrant: NetworkSpec, macs: int) -> NetworkSpec:
    """`entrant` at the width whose MACs come nearest to `macs`."""
    best: tuple[int, NetworkSpec] | None = None
    for channels in range(1, 100_000):
        try:
            wider = replace(entrant, size=replace(entrant.size, channels=channels))
            gap = wider.macs - macs
        except ConfigError:  # a width that the skeleton does not have
            continue
        if best is None or abs(gap) < best[0]:
            best = (abs(gap), wider)
        if gap >= 0:
            break
    assert best is not None, "every space has a width below 100,000"
    return best[1]


def build(entrant: NetworkSpec, network: Network) -> GraphModule:
    """The module of `network`, freshly initialised or with the weights that it inherits.

    Raises:
        RunError: as `inherited`.
    """
    module = GraphModule(network)
    if entrant.inherit is not None:
        module.load_state_dict(inherited(entrant, network), strict=False)
    return module


def inherited(entrant: NetworkSpec, network: Network) -> dict[str, Tensor]:
    """The weights that `entrant` inherits; those of an auxiliary head are not among them.

    Raises:
        RunError: there is no such search, it is of another size or architecture, it searched only a
            part of the channels, or its weights are damaged.
    """
    assert entrant.inherit is not None, "asked only of those that inherit"
    held = read_config(entrant.inherit)
    if held.get("kind") != "search":
        raise RunError(f"{entrant.inherit} is no search: inherit from the folder of a search")
    for name in ("channels", "cells"):
        wanted = getattr(entrant.size, name)
        if held.get(name) != wanted:
            raise RunError(
                f"weights of {entrant.inherit} are of {name}={held.get(name)}, not {wanted}: "
                f"inherit at the size of the search, or train from fresh weights"
            )
    parts = held.get("partial") or 1
    if parts > 1:  # the other channels pass by: the space's own network has larger weights
        raise RunError(
            f"{entrant.inherit} searched one of {parts} parts of the channels ({held['method']}), "
            f"so its weights are of another network: train it from fresh weights"
        )
    return load_weights(RunFolder(entrant.inherit).weights, network)
