"""Model card: the metadata of an exported file, all that is needed to use and to score it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

from archwright.backends.formats import Weights
from archwright.errors import RunError
from archwright.graph import Shape
from archwright.io.files import is_of


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Model card: classes, the images that are taken, and where the network comes from.

    A file takes images float32 [B, C, H, W] that are normalised, (pixel / 255 - mean) / std with
    one number a channel, and answers with logits [B, classes].
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
    background: str = "white"  # behind transparent pixels
    white_level: int = 65535  # the value of white in images of 16 bits
    data: str = ""
    weights: Weights = "float32"
    version: str = ""

    @property
    def image(self) -> Shape:
        """The shape of an image."""
        return Shape(self.image_channels, self.image_size, self.image_size)

    def to_metadata(self) -> dict[str, str]:
        """Return every field as JSON, by name."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: object) -> "ModelCard":
        """Return the card of metadata that `to_metadata` made; further names are ignored.

        Raises:
            RunError: the file at `path` was not exported by archwright (a field is missing, or no
                JSON), or was changed since (a field is of another type).
        """
        values, kinds = dict[str, Any](), get_type_hints(cls)
        for field in fields(cls):
            try:
                value = json.loads(metadata[field.name])
            except (KeyError, TypeError, ValueError):
                raise RunError(
                    f"{path} does not say its {field.name}: it was not written by archwright export"
                ) from None
            if not is_of(value, kinds[field.name]):
                raise RunError(f"{path} is damaged: its {field.name} is {value!r}; export it again")
            values[field.name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)
