"""What is pruned: the network that a training left, with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from archwright import data
from archwright.errors import ConfigError, RunError
from archwright.ir import Architecture, Network, deletable
from archwright.lower import NaiveNetwork
from archwright.runs.checkpoint import load_checkpoint
from archwright.runs.folder import RunFolder, read_config
from archwright.spaces import Size, Space, get_space, read_architecture
from archwright.train.entrants import Entrant

_AUXILIARY = "slots.auxiliary/"
_AVERAGE = "module."


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained network.

    Attributes:
        path: where it was read from.
        settings: those of its training.
        network: its graph, without an auxiliary head.
        published: the graph of its architecture, on which sizes are counted: where weights were
            inherited from a search, batch norms differ.
        state: its weights and statistics, by slot.
    """

    path: Path
    settings: Mapping[str, Any]
    space: Space
    architecture: Architecture
    size: Size
    network: Network
    published: Network
    state: Mapping[str, Tensor]

    def require_fit(self, images: data.ImageData) -> None:
        """Check that the network takes these images, and tells them apart.

        Raises:
            ConfigError: it does not (what differs is named).
        """
        pairs = (
            ("classes", self.size.classes, len(images.classes)),
            ("pixels a side", self.size.image_size, images.image_size),
            ("channels an image", self.size.image_channels, images.channels),
        )
        for what, own, given in pairs:
            if own != given:
                raise ConfigError(
                    f"{self.path} was trained for {own} {what}, {images.name} has {given}: give "
                    f"the --data that it was trained on"
                )


def read_source(path: Path) -> Source:
    """The network in the run folder of a training, or in one of its checkpoints.

    Raises:
        RunError: there is no such training, it has not finished, it is damaged, or what it left is
            no network that nodes can be deleted from.
    """
    folder = _folder(path)
    settings = read_config(folder)
    if settings.get("kind") == "search":
        raise RunError(
            f"{folder} is a search, its network has never been trained by itself: give the folder "
            f"of archwright train --architecture {folder}"
        )
    if settings.get("kind") not in ("train", "prune"):
        raise RunError(f"{folder} is no training: give the folder of archwright train")
    architecture = read_architecture(str(settings["architecture"]))
    if settings.get("kind") == "prune" or architecture.pruning is not None:
        pruned = architecture.pruning
        how = "" if pruned is None else f" ({len(pruned.deleted)} nodes, {pruned.fusion.name})"
        raise RunError(
            f"{folder} is pruned already{how}: prune the network that it came from, to the target "
            f"that you want"
        )
    space = get_space(architecture.origin or architecture.space)
    size = Size(
        channels=settings["channels"],
        cells=settings["cells"],
        classes=len(settings["classes"]),
        image_size=settings["image_size"],
        image_channels=settings["image_channels"],
    )
    inherit = settings.get("inherit")
    entrant = Entrant("found", space, architecture, size, Path(inherit) if inherit else None)
    network = entrant.trained(auxiliary=False)
    if not deletable(network):
        raise RunError(f"{folder} has no cell that a node could be deleted from: nothing to prune")
    state = _state(path, folder)
    _require_same(path, network, state)
    return Source(
        path=path,
        settings=settings,
        space=space,
        architecture=architecture,
        size=size,
        network=network,
        published=entrant.network,
        state=state,
    )


def _folder(path: Path) -> Path:
    """The run folder that `path` is, or that the checkpoint at `path` belongs to."""
    if path.is_dir():
        return path
    if not path.exists():
        raise RunError(f"no run and no checkpoint at {path}: give the folder of archwright train")
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    if not RunFolder(folder).config.is_file():
        raise RunError(
            f"{path} is no checkpoint in a run folder: only archwright train leaves cell networks "
            f"that can be pruned"
        )
    return folder


def _state(path: Path, folder: Path) -> dict[str, Tensor]:
    """The weights in a run folder, or in a checkpoint; those of an auxiliary head are left out."""
    weights = RunFolder(folder).weights
    if path in (folder, weights):
        if not weights.is_file():
            raise RunError(f"{folder} has no weights yet: finish its training with --resume")
        try:
            return load_file(weights)
        except (SafetensorError, OSError) as error:
            raise RunError(f"{weights} is damaged ({error}): train the network again") from None
    content = load_checkpoint(path)
    trainer = content.get("trainer") or {}
    average = trainer.get("average")
    if average:
        network = {
            name.removeprefix(_AVERAGE): value
            for name, value in average.items()
            if name.startswith(_AVERAGE)
        }
    else:
        network = content.get("network") or trainer.get("network")
    if not isinstance(network, dict):
        raise RunError(
            f"{path} holds no network: only archwright train leaves cell networks that can be "
            f"pruned"
        )
    state = cast("dict[str, Tensor]", network)
    return {name: value for name, value in state.items() if not name.startswith(_AUXILIARY)}


def _require_same(path: Path, network: Network, state: Mapping[str, Tensor]) -> None:
    with torch.device("meta"):
        wanted = NaiveNetwork(network).state_dict()
    for name in sorted(set(wanted) ^ set(state)):
        where = "the file" if name in state else "the architecture"
        raise RunError(
            f"{path} is no network of the architecture beside it: only {where} has {name}; give "
            f"the folder of the training that it came from"
        )
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            raise RunError(
                f"{path} is no network of the architecture beside it: {name} is "
                f"{list(state[name].shape)}, not {list(value.shape)}"
            )
