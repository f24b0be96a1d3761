"""Model card: the metadata of an exported file that are needed to use and to score it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from archwright.backends.formats import Weights
from archwright.errors import RunError
from archwright.graph import Shape
from archwright.io.schema import read_as, to_json


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Model card: classes, form of the input images, and origin of the network.

    The input of a file is images float32 [B, C, H, W], normalised as (pixel / 255 - mean) / std
    with one number per channel; the output is logits [B, classes].
    """

    architecture: str
    space: str
    channels: int
    cells: int
    classes: tuple[str, ...]
    image_channels: int
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    background: str = "white"  # colour behind transparent pixels
    white_level: int = 65535  # value of white in images of 16 bits
    data: str = ""
    weights: Weights = "float32"
    version: str = ""

    @property
    def image(self) -> Shape:
        """Shape of an image."""
        return Shape(self.image_channels, self.image_size, self.image_size)

    def to_metadata(self) -> dict[str, str]:
        """Return every field as JSON text, by name."""
        return {name: json.dumps(value) for name, value in to_json(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: object) -> "ModelCard":
        """Return the card in metadata that `to_metadata` made; other names are ignored.

        Raises:
            RunError: the file at `path` was not exported by archwright (a field is missing or is
                not JSON), or was changed since (a field has another type).
        """
        content: dict[str, Any] = {}
        for field in fields(cls):
            try:
                content[field.name] = json.loads(metadata[field.name])
            except (KeyError, TypeError, ValueError):
                raise RunError(
                    f"{path} lacks its {field.name}: it was not written by archwright export"
                ) from None
        return read_as(cls, content, str(path), remedy="export it again")
