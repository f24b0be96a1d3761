"""Specification of a network to train, and of the baselines."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from archwright.cost import graph_cost
from archwright.engine.networks.trained import TrainedNetwork, load_network
from archwright.errors import ConfigError, GraphError, RunError
from archwright.graph import Architecture, Network, verify_discrete, walk_network
from archwright.lowering import GraphModule
from archwright.spaces import Size, Space, reference_architecture, write_architecture
from archwright.spaces.discretise import random_architecture
from archwright.training.config import Rival


@dataclass(frozen=True)
class NetworkSpec:
    """Architecture with its size, and its name in results.

    `inherited` is the network of a search whose weights are the starting point, if any.
    """

    name: str
    space: Space
    architecture: Architecture
    size: Size
    inherited: TrainedNetwork | None = None

    @property
    def published(self) -> Network:
        """Discrete network as published."""
        return self.space.discrete(self.architecture, self.size)

    @property
    def network(self) -> Network:
        """Network to train: that of the search if weights are inherited, else as published."""
        if self.inherited is None:
            return self.published
        return replace(self.inherited.network, image=self.size.image)

    @property
    def macs(self) -> int:
        """Multiply-accumulates on one image."""
        return graph_cost(self.network).macs

    @property
    def weights(self) -> dict[str, Tensor] | None:
        """Initial weights, without those of an auxiliary head."""
        return None if self.inherited is None else dict(self.inherited.state)

    def trained(self, *, auxiliary: bool) -> Network:
        """Return the network to train, with an auxiliary head or without.

        Raises:
            ConfigError: no auxiliary head fits.
        """
        network = self.network
        return self.space.with_auxiliary(network, self.size) if auxiliary else network


def inherit(search: Path, found: NetworkSpec) -> NetworkSpec:
    """Return `found` with the graph and the weights of the search in that folder.

    Raises:
        RunError: there is no such search, its size, architecture or images differ, or its network
            is damaged.
    """
    given = load_network(search, found.space)
    if given.kind != "search":
        raise RunError(f"{search} is no search: inherit from the folder of a search")
    for name in ("channels", "cells"):
        held, wanted = getattr(given.size, name), getattr(found.size, name)
        if held != wanted:
            raise RunError(
                f"weights of {search} are of {name}={held}, not {wanted}: inherit at the size of "
                f"the search, or train from fresh weights"
            )
    if _selection(given.architecture) != _selection(found.architecture):
        raise RunError(
            f"{search} is of another architecture, {write_architecture(given.architecture)}: "
            f"inherit into the architecture that the search found"
        )
    heir = replace(found, inherited=given)
    try:
        verify_discrete(heir.network)
        classes = walk_network(heir.network)[heir.network.output].channels
    except GraphError as error:
        raise RunError(
            f"the network of {search} does not take {found.size.image} images ({error}): inherit "
            f"with images like those of the search"
        ) from None
    if classes != found.size.classes:
        raise RunError(
            f"the network of {search} tells {classes} classes apart, not {found.size.classes}: "
            f"inherit with images of the same classes"
        )
    return heir


def _selection(architecture: Architecture) -> tuple[object, ...]:
    """Return the candidates of an architecture as a value that does not depend on their order."""
    outputs = {kind: cell.output for kind, cell in architecture.cells.items()}
    return architecture.answers(), outputs, architecture.pruning


def baseline(kind: Rival, found: NetworkSpec, seed: int) -> NetworkSpec:
    """Return a baseline of `found` of that kind; it inherits nothing.

    `hand-made`: the space's reference at the width with the nearest MACs. `random`: drawn uniformly
    with the run's seed, at the same size.
    """
    if kind == "random":
        architecture = random_architecture(found.space, found.size, np.random.default_rng(seed))
        return replace(found, name=kind, architecture=architecture, inherited=None)
    architecture = reference_architecture(found.space, found.size)
    made = replace(found, name=kind, architecture=architecture, inherited=None)
    return match_macs(made, found.macs)


def match_macs(spec: NetworkSpec, macs: int) -> NetworkSpec:
    """Return `spec` at the width with the MACs nearest to `macs`."""
    best: tuple[int, NetworkSpec] | None = None
    for channels in range(1, 100_000):
        try:
            wider = replace(spec, size=replace(spec.size, channels=channels))
            gap = wider.macs - macs
        except ConfigError:  # a width that the skeleton does not have
            continue
        if best is None or abs(gap) < best[0]:
            best = (abs(gap), wider)
        if gap >= 0:
            break
    assert best is not None, "every space has a width below 100,000"
    return best[1]


def build(spec: NetworkSpec, network: Network) -> GraphModule:
    """Return the module of `network`, newly initialised or with the inherited weights."""
    module = GraphModule(network)
    if spec.weights is not None:
        module.load_state_dict(spec.weights, strict=False)
    return module
