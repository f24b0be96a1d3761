"""The network that a run left, whatever the run was, with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archwright._version import __version__
from archwright.backends.formats import Weights
from archwright.backends.model_card import ModelCard
from archwright.cost import GraphCost, graph_cost
from archwright.engine.checkpoint import load_checkpoint
from archwright.engine.folder import RunFolder, read_config
from archwright.engine.stored import State, folder_of, held_weights, require_state, stored_weights
from archwright.errors import RunError
from archwright.graph import Architecture, Network, Pruning, named_fusion
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import from_settings
from archwright.lowering import GraphModule
from archwright.nas.methods import get_method, options_of
from archwright.spaces import Size, Space, read_architecture, space_of, write_architecture
from archwright.training.network_spec import stored_entrant

KINDS = ("search", "train", "prune")
"""Runs that leave a network."""
_NEEDED = ("channels", "cells", "classes", "image_size", "image_channels", "mean", "std", "data")
"""Settings that say what the network is given, and answers with."""


@dataclass(frozen=True, kw_only=True)
class Trained:
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
        """What the run did: search, train or prune."""
        return str(self.settings["kind"])

    @property
    def cost(self) -> GraphCost:
        """Parameters and multiply-accumulates, counted as published."""
        return graph_cost(self.space.discrete(self.architecture, self.size))

    @property
    def unpruned(self) -> Network | None:
        """The graph of the network that nodes were deleted from; None if none were."""
        if self.architecture.pruning is None:
            return None
        return self.space.discrete(replace(self.architecture, pruning=None), self.size)

    def card(self, weights: Weights = "float32") -> ModelCard:
        """What a file of the network says of itself."""
        return ModelCard(
            architecture=write_architecture(self.architecture),
            space=str(self.space.origin or self.space.name),
            channels=self.size.channels,
            cells=self.size.cells,
            classes=tuple(self.settings["classes"]),
            image_channels=self.size.image_channels,
            image_size=self.size.image_size,
            mean=tuple(self.settings["mean"]),
            std=tuple(self.settings["std"]),
            background=self.settings.get("background", ModelCard.background),
            white_level=self.settings.get("white_level", ModelCard.white_level),
            data=_public(str(self.settings["data"])),
            weights=weights,
            version=__version__,
        )


def _public(data: str) -> str:
    """The name of images; nothing of images in a folder of this machine."""
    return "" if Path(data).is_absolute() else data


def _last_stage(build: Path) -> str:
    """The stage whose network a build handed over; until then the last that left one."""
    exported = RunFolder(build).log.last("export") or {}
    if "network" in exported:
        return exported["network"]
    return next((name for name in ("pruned", "network") if (build / name).is_dir()), "search")


def read_trained(path: Path, given: Space | None = None) -> Trained:
    """The network in the folder of a search, a training or a pruning, or in one of its checkpoints.

    That of a build is its last one. `given` is the space that the user names, which a run of a
    user's own space needs.

    Raises:
        RunError: there is no such run, it has no network yet, or something in it is damaged.
        GenotypeError: its architecture is damaged, or its space is not the given one.
    """
    folder = folder_of(path)
    settings = read_config(folder.path)
    if settings.get("kind") == "build":
        return read_trained(folder.path / _last_stage(folder.path), given)
    if settings.get("kind") not in KINDS:
        raise RunError(
            f"{folder.path} is the run of {settings.get('kind')}, which leaves no network: give "
            f"the folder of archwright {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        )
    for name in _NEEDED:
        _ = settings[name]  # what is missing is said at once
    if path.suffix == ".pt" and path.is_file():
        architecture, state = _in_checkpoint(path, folder, settings, given)
    else:
        state = stored_weights(folder)
        architecture = read_architecture(str(folder.architecture))
    space = space_of(architecture, given)
    size = Size(
        channels=settings["channels"],
        cells=settings["cells"],
        classes=len(settings["classes"]),
        image_size=settings["image_size"],
        image_channels=settings["image_channels"],
    )
    network = _network(settings, space, architecture, size)
    require_state(path, network, state)
    return Trained(
        path=path,
        folder=folder,
        settings=settings,
        space=space,
        architecture=architecture,
        size=size,
        network=network,
        state=state,
    )


def _in_checkpoint(
    path: Path, folder: RunFolder, settings: Mapping[str, Any], given: Space | None
) -> tuple[Architecture, State]:
    """The architecture and the weights of the network that a checkpoint holds."""
    if settings["kind"] == "search":
        raise RunError(
            f"{path} holds a supernet, whose network is derived at the end of the search: finish "
            f"it with --resume, and give {folder.path}"
        )
    content = load_checkpoint(path)
    architecture = read_architecture(str(settings.get("architecture", "")), given)
    if settings["kind"] == "prune":
        if content.get("stage") != "tuning":
            raise RunError(
                f"{path} holds a network that is not pruned yet: finish its run with --resume, and "
                f"give {folder.path}"
            )
        architecture = replace(architecture, pruning=_pruning(settings, content))
    return architecture, held_weights(path, content)


def _pruning(settings: Mapping[str, Any], content: Mapping[str, Any]) -> Pruning:
    """What a pruning has deleted, as its settings and its checkpoint say."""
    fusion = named_fusion(
        settings["fusion"],
        per=settings["per"],
        reduction=settings["reduction"],
        floor=settings["floor"],
    )
    deleted = frozenset((str(step), int(node)) for step, node in content["facts"]["deleted"])
    gated = settings["score"] == "gate" and not settings.get("drop_gates")
    return Pruning(deleted=deleted, fusion=fusion, gated=gated)


def _network(
    settings: Mapping[str, Any], space: Space, architecture: Architecture, size: Size
) -> Network:
    """The graph that a run's weights are of."""
    if settings["kind"] == "search":
        name = settings["method"]
        method = get_method(name, **{one: settings.get(one) for one in options_of(name)})
        supernet = method.supernet(space.supernet(size))
        return restrict(simplify(supernet, from_settings(settings)), architecture)
    return stored_entrant(settings, space, architecture, size).trained(auxiliary=False)
