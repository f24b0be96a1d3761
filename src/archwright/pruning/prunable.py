"""Loading of networks that can be pruned, and checks of them."""

from pathlib import Path

from archwright import data
from archwright.engine.networks.trained import TrainedNetwork, load_network
from archwright.engine.runs.folder import read_config, run_folder_of
from archwright.errors import ConfigError, RunError
from archwright.graph.passes.rewire import deletable
from archwright.spaces import Space, read_architecture


def load_prunable(path: Path, given: Space | None = None) -> TrainedNetwork:
    """Load the network in the run folder of a training, or in one of its checkpoints.

    `given` is the space that the user names, which a training in a user's own space needs.

    Raises:
        RunError: there is no such training, it has not finished, it is damaged, or its network has
            no node that can be deleted.
        GenotypeError: its space is not the given one.
    """
    folder, settings = run_folder_of(path).path, read_config(run_folder_of(path).path)
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
    trained = load_network(path, given)
    if not deletable(trained.network):
        raise RunError(f"{folder} has no cell that a node could be deleted from: nothing to prune")
    return trained


def require_fit(trained: TrainedNetwork, images: data.ImageData) -> None:
    """Check that the network has the classes and the input shape of these images.

    Raises:
        ConfigError: it has not (the difference is named).
    """
    size = trained.size
    pairs = (
        ("classes", size.classes, len(images.classes)),
        ("pixels a side", size.image_size, images.image_size),
        ("channels an image", size.image_channels, images.channels),
    )
    for what, own, given in pairs:
        if own != given:
            raise ConfigError(
                f"{trained.path} was trained for {own} {what}, {images.name} has {given}: give "
                f"the --data that it was trained on"
            )
