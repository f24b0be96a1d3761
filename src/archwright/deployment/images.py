"""The images that a trained network is given: normalised as in its training, and of its classes."""

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
    """The images that a command asks for."""

    data: str | None = None
    data_root: Path | None = None
    test_limit: int | None = None


def images_for(
    path: Path, card: ModelCard, settings: Mapping[str, Any], asked: DataRequest
) -> data.ImageData:
    """The images that are asked for, else those of the run with these `settings`.

    `path` is where the network comes from, `card` what it takes; `settings` are empty where no run
    folder is at hand.

    Raises:
        ConfigError: none are asked for, and none are known.
        DataError: they cannot be used, or are others than the network takes and tells apart.
    """
    name = asked.data or settings.get("data") or card.data
    if not name:
        raise ConfigError(f"{path} does not say on which images: give --data")
    root = asked.data_root or settings.get("data_root")
    own = not asked.data and bool(settings)
    loaded = data.load(
        name,
        root=root,
        image_size=card.image_size,
        limit=settings.get("limit") if own else None,
        test_limit=asked.test_limit or (settings.get("test_limit") if own else None),
        background=card.background,
        white_level=card.white_level,
    )
    _require_fit(path, card, loaded)
    if not len(loaded.test):
        raise DataError(f"{loaded.name} has no test images: there is nothing to score on")
    say(data.summary(loaded))
    return _normalised(loaded, card)


def _require_fit(path: Path, card: ModelCard, images: data.ImageData) -> None:
    remedy = "give --data of what it was trained for"
    pairs = (
        ("classes", len(card.classes), len(images.classes)),
        ("channels an image", card.image_channels, images.channels),
        ("pixels a side", card.image_size, images.image_size),
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
    """The images with the card's mean and deviation; their own ones where these are the same.

    What is written down is rounded: a run's own images are to be normalised to the last bit.
    """
    pairs = zip((*images.mean, *images.std), (*card.mean, *card.std), strict=True)
    if all(abs(own - rounded) <= 1e-8 for own, rounded in pairs):
        return images
    return replace(images, mean=card.mean, std=card.std)
