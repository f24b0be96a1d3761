"""Who is trained: the network in question, and those that it is compared with."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file

from archwright.cost import graph_cost
from archwright.derive import random_architecture, restrict
from archwright.errors import ConfigError, RunError
from archwright.ir import Architecture, Network
from archwright.lower import NaiveNetwork
from archwright.runs.folder import RunFolder, read_config
from archwright.spaces import Size, Space, reference_architecture, with_auxiliary


@dataclass(frozen=True)
class Entrant:
    """An architecture at its size, under the name that its results go by."""

    name: str
    space: Space
    architecture: Architecture
    size: Size

    @property
    def network(self) -> Network:
        """The discrete network, without an auxiliary head."""
        return self.space.discrete(self.architecture, self.size)

    @property
    def macs(self) -> int:
        """Multiply-accumulates on one image."""
        return graph_cost(self.network).macs


def rival(kind: str, found: Entrant, seed: int) -> Entrant:
    """The network of that kind that `found` is compared with.

    `hand-made`: the space's reference at the width that comes nearest to the found one's MACs.
    `random`: drawn uniformly with the run's seed, at the found one's size.
    """
    if kind == "random":
        drawn = random_architecture(found.space, found.size, np.random.default_rng(seed))
        return replace(found, name=kind, architecture=drawn)
    made = replace(
        found, name=kind, architecture=reference_architecture(found.space, found.size)
    )
    return at_macs(made, found.macs)


def at_macs(entrant: Entrant, macs: int) -> Entrant:
    """`entrant` at the width whose MACs come nearest to `macs`."""
    best: tuple[int, Entrant] | None = None
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


def build(entrant: Entrant, *, auxiliary: bool, inherit: Path | None) -> NaiveNetwork:
    """The module to train: as published, or with a search's weights, and then its batch norms.

    Raises:
        ConfigError: no auxiliary head fits.
        RunError: the search is of another size or architecture, or its weights are damaged.
    """
    if inherit is None:
        network = entrant.network
    else:
        _require_same_size(entrant, inherit)
        network = restrict(entrant.space.supernet(entrant.size), entrant.architecture)
    after = entrant.space.skeleton.auxiliary_after(entrant.size)
    if auxiliary:
        network = with_auxiliary(network, after, entrant.size.classes)
    module = NaiveNetwork(network)
    if inherit is not None:
        _load(module, RunFolder(inherit).weights)
    return module


def _require_same_size(entrant: Entrant, inherit: Path) -> None:
    held = read_config(inherit)
    for name in ("channels", "cells"):
        wanted = getattr(entrant.size, name)
        if held.get(name) != wanted:
            raise RunError(
                f"weights of {inherit} are of {name}={held.get(name)}, not {wanted}: inherit at "
                f"the size of the search, or train from fresh weights"
            )


def _load(module: NaiveNetwork, path: Path) -> None:
    try:
        missing, unexpected = module.load_state_dict(load_file(path), strict=False)
    except FileNotFoundError:
        raise RunError(f"no weights at {path}: the search has not finished") from None
    except SafetensorError as error:
        raise RunError(f"{path} is damaged ({error}): run the search again") from None
    except RuntimeError:
        raise RunError(f"{path} holds weights of other shapes: inherit with the same data") from None
    foreign = [*unexpected, *(name for name in missing if not name.startswith("slots.auxiliary"))]
    if foreign:
        raise RunError(f"{path} is of another architecture: {foreign[0]} does not match")
