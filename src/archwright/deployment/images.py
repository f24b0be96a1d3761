"""Images for a trained network: normalised as in its training, with the classes that it knows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archwright import data
from archwright.backends.model_card import ModelCard
from archwright.engine.progress import say
from archwright.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """Data set that a command requests; None for the setting of the run."""

    data: str | None = None
    data_root: Path | None = None
    test_limit: int | None = None


def images_for(
    path: Path, card: ModelCard, settings: Mapping[str, Any], request: DataRequest
) -> data.ImageData:
    """Return the requested images, or those of the run.

    Args:
        path: file or folder of the network, for messages.
        card: model card of the network.
        settings: settings of the run; empty if there is no run folder.
        request: requested data set.

    Raises:
        ConfigError: no images are requested, and those of the run are not known.
        DataError: the images cannot be used, or their form or classes do not fit the network.
    """
    name = request.data or settings.get("data") or card.data
    if not name:
        raise ConfigError(f"{path} does not name a data set: give --data")
    root = request.data_root or settings.get("data_root")
    own = not request.data and bool(settings)
    loaded = data.load(
        name,
        root=root,
        image_size=card.image_size,
        limit=settings.get("limit") if own else None,
        test_limit=request.test_limit or (settings.get("test_limit") if own else None),
        background=card.background,
        white_level=card.white_level,
    )
    _require_fit(path, card, loaded)
    if not len(loaded.test):
        raise DataError(f"{loaded.name} has no test images: give --data of images with a test part")
    say(data.summary(loaded))
    return _normalised(loaded, card)


def _require_fit(path: Path, card: ModelCard, images: data.ImageData) -> None:
    remedy = "give --data with images like those of its training"
    pairs = (
        ("classes", len(card.classes), len(images.classes)),
        ("channels per image", card.image_channels, images.channels),
        ("pixels per side", card.image_size, images.image_size),
    )
    for what, own, given in pairs:
        if own != given:
            raise DataError(f"{path} is for {own} {what}, and {images.name} has {given}: {remedy}")
    for number, (own, given) in enumerate(zip(card.classes, images.classes, strict=True)):
        if own != given:
            raise DataError(
                f"{path} calls class {number} {own!r}, and {images.name} {given!r}: {remedy}"
            )


def _normalised(images: data.ImageData, card: ModelCard) -> data.ImageData:
    """Return the images with mean and deviation of the card, unless they differ by rounding only.

    A card has rounded numbers, and the images of the run itself must be normalised exactly as in
    training.
    """
    pairs = zip((*images.mean, *images.std), (*card.mean, *card.std), strict=True)
    if all(abs(own - rounded) <= 1e-8 for own, rounded in pairs):
        return images
    return replace(images, mean=card.mean, std=card.std)
