"""Model cards of the networks in run folders."""

from pathlib import Path

from archwright._version import __version__
from archwright.backends.formats import Weights
from archwright.backends.model_card import ModelCard
from archwright.engine.networks.trained import TrainedNetwork
from archwright.spaces import write_architecture


def card_of(trained: TrainedNetwork, weights: Weights = "float32") -> ModelCard:
    """Return the model card of a network, for a file with weights of that type."""
    size, settings = trained.size, trained.settings
    return ModelCard(
        architecture=write_architecture(trained.architecture),
        space=str(trained.space.origin or trained.space.name),
        channels=size.channels,
        cells=size.cells,
        classes=tuple(settings["classes"]),
        image_channels=size.image_channels,
        image_size=size.image_size,
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        background=settings.get("background", ModelCard.background),
        white_level=settings.get("white_level", ModelCard.white_level),
        data=_public(str(settings["data"])),
        weights=weights,
        version=__version__,
    )


def _public(data: str) -> str:
    """Return the name of a data set; empty for the path of a folder of this machine."""
    return "" if Path(data).is_absolute() else data
