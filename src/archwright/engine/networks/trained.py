"""The network that a run left, whatever the run was, with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archwright.cost import GraphCost, graph_cost
from archwright.engine.networks.network_file import read_graph
from archwright.engine.networks.weights import (
    State,
    checkpoint_weights,
    load_weights,
    require_state,
)
from archwright.engine.runs.checkpoint import load_checkpoint
from archwright.engine.runs.folder import RunFolder, read_config, run_folder_of
from archwright.errors import RunError
from archwright.graph import Architecture, Network, Shape, walk_network
from archwright.lowering import GraphModule
from archwright.spaces import Size, Space, read_architecture, space_of, write_architecture

KINDS = ("search", "train", "prune")
"""Runs that leave a network."""
_NEEDED = ("channels", "cells", "classes", "image_size", "image_channels", "mean", "std", "data")
"""Settings that say what the network is given, and answers with."""


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network that a run left.

    Attributes:
        path: the run folder, or the checkpoint, that it was read from.
        settings: those of the run.
        network: its graph, without an auxiliary head.
        state: its weights and statistics.
    """

    path: Path
    folder: RunFolder
    settings: Mapping[str, Any]
    space: Space
    architecture: Architecture
    size: Size
    network: Network
    state: State

    @cached_property
    def module(self) -> GraphModule:
        """The network in evaluation mode, on the CPU."""
        module = GraphModule(self.network)
        module.load_state_dict(dict(self.state))
        return module.eval()

    @property
    def kind(self) -> str:
        """Kind of the run: search, train or prune."""
        return str(self.settings["kind"])

    @property
    def cost(self) -> GraphCost:
        """Parameters and multiply-accumulates."""
        return graph_cost(self.network)

    @property
    def published_cost(self) -> GraphCost:
        """Those of the architecture as published: with all channels, and affine batch norms."""
        return graph_cost(self.space.discrete(self.architecture, self.size))

    @property
    def unpruned(self) -> Network | None:
        """The graph of the network that nodes were deleted from; None if none were.

        A pruning left it; of a pruned architecture that was trained, it is that as published.
        """
        if self.architecture.pruning is None:
            return None
        if self.folder.unpruned.is_file():
            return read_graph(self.folder.unpruned)
        return self.space.discrete(replace(self.architecture, pruning=None), self.size)


def load_network(path: Path, given: Space | None = None) -> TrainedNetwork:
    """Load the network in the folder of a search, training or pruning, or in a checkpoint of it.

    That of a build is its last one. `given` is the space that the user names, which a run of a
    user's own space needs.

    Raises:
        RunError: there is no such run, it has no network yet, or something in it is damaged.
        GenotypeError: its architecture is damaged, or its space is not the given one.
    """
    folder = run_folder_of(path)
    settings = read_config(folder.path)
    if settings.get("kind") == "build":
        return load_network(stage_folder(folder.path).path, given)
    if settings.get("kind") not in KINDS:
        raise RunError(
            f"{folder.path} is the run of {settings.get('kind')}, which leaves no network: give "
            f"the folder of archwright {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        )
    for name in _NEEDED:
        _ = settings[name]  # what is missing is said at once
    in_checkpoint = path.suffix == ".pt" and path.is_file()
    state = _in_checkpoint(path, folder, settings) if in_checkpoint else load_weights(folder)
    architecture = read_architecture(str(folder.architecture))
    _require_architecture(folder, settings, architecture)
    space = space_of(architecture, given)
    size = Size(
        channels=settings["channels"],
        cells=settings["cells"],
        classes=len(settings["classes"]),
        image_size=settings["image_size"],
        image_channels=settings["image_channels"],
    )
    network = read_graph(folder.network)
    require_size(folder.network, network, size)
    require_state(path, network, state)
    return TrainedNetwork(
        path=path,
        folder=folder,
        settings=settings,
        space=space,
        architecture=architecture,
        size=size,
        network=network,
        state=state,
    )


def require_size(path: Path, network: Network, size: Size) -> None:
    """Check that a network is of the images and classes that the settings of its run say.

    Raises:
        RunError: it is not (what differs is named).
    """
    classes = walk_network(network)[network.output]
    for what, own, wanted in (
        ("images", network.image, size.image),
        ("logits", classes, Shape(size.classes, 1, 1)),
    ):
        if own != wanted:
            raise RunError(
                f"{path} is of {what} {own}, and config.json beside it of {wanted}: restore the "
                f"run folder as it was"
            )


def stage_folder(run: Path) -> RunFolder:
    """Return the run folder with the network of the run in `run`: of a build, that of a stage.

    That is the one whose network it handed over; until then the last that left one.

    Raises:
        RunError: there is no run there, or its log is damaged.
    """
    if read_config(run).get("kind") != "build":
        return RunFolder(run)
    exported = RunFolder(run).log.last("export") or {}
    left = next((name for name in ("pruned", "network") if (run / name).is_dir()), "search")
    return RunFolder(run / exported.get("network", left))


def _require_architecture(
    folder: RunFolder, settings: Mapping[str, Any], architecture: Architecture
) -> None:
    """Check that the architecture is the one that the run was asked to train or to prune."""
    if settings["kind"] == "search":  # which found it itself
        return
    if settings["kind"] == "prune":
        architecture = replace(architecture, pruning=None)
    if write_architecture(architecture) != settings["architecture"]:
        raise RunError(
            f"{folder.architecture} is of another architecture than config.json beside it: restore "
            f"the run folder as it was"
        )


def _in_checkpoint(path: Path, folder: RunFolder, settings: Mapping[str, Any]) -> State:
    """Return the weights of the run's network in a checkpoint."""
    if settings["kind"] == "search":
        raise RunError(
            f"{path} holds a supernet, whose network is derived at the end of the search: finish "
            f"it with --resume, and give {folder.path}"
        )
    content = load_checkpoint(path)
    if settings["kind"] == "prune" and content.get("stage") != "tuning":
        raise RunError(
            f"{path} holds a network that is not pruned yet: finish its run with --resume, and "
            f"give {folder.path}"
        )
    return checkpoint_weights(path, content)
