"""What is pruned: the network that a training left, with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright import data
from archwright.engine.checkpoint import load_checkpoint
from archwright.engine.folder import read_config
from archwright.engine.stored import State, folder_of, held_weights, require_state, stored_weights
from archwright.errors import ConfigError, RunError
from archwright.graph import Architecture, Network
from archwright.graph.passes.rewire import deletable
from archwright.spaces import Size, Space, read_architecture, space_of
from archwright.training.network_spec import stored_entrant


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
    state: State

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


def read_source(path: Path, given: Space | None = None) -> Source:
    """The network in the run folder of a training, or in one of its checkpoints.

    `given` is the space that the user names, which a training of a user's own space needs.

    Raises:
        RunError: there is no such training, it has not finished, it is damaged, or what it left is
            no network that nodes can be deleted from.
        GenotypeError: its space is not the given one.
    """
    run = folder_of(path)
    folder, settings = run.path, read_config(run.path)
    if settings.get("kind") == "search":
        raise RunError(
            f"{folder} is a search, its network has never been trained by itself: give the folder "
            f"of archwright train --architecture {folder}"
        )
    if settings.get("kind") == "build":
        raise RunError(f"{folder} is a build: give the training in it, {folder / 'network'}")
    if settings.get("kind") not in ("train", "prune"):
        raise RunError(f"{folder} is no training: give the folder of archwright train")
    architecture = read_architecture(str(settings["architecture"]), given)
    if settings.get("kind") == "prune" or architecture.pruning is not None:
        pruned = architecture.pruning
        how = "" if pruned is None else f" ({len(pruned.deleted)} nodes, {pruned.fusion.name})"
        raise RunError(
            f"{folder} is pruned already{how}: prune the network that it came from, to the target "
            f"that you want"
        )
    space = space_of(architecture, given)
    size = Size(
        channels=settings["channels"],
        cells=settings["cells"],
        classes=len(settings["classes"]),
        image_size=settings["image_size"],
        image_channels=settings["image_channels"],
    )
    entrant = stored_entrant(settings, space, architecture, size)
    network = entrant.trained(auxiliary=False)
    if not deletable(network):
        raise RunError(f"{folder} has no cell that a node could be deleted from: nothing to prune")
    if path.suffix == ".pt" and path.is_file():
        state = held_weights(path, load_checkpoint(path))
    else:
        state = stored_weights(run)
    require_state(path, network, state)
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
