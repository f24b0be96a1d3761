"""Columns of a table that contain images and labels, and the classes of the labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import torch
from torch import Tensor

from archwright.errors import DataError

_MOST_CLASSES = 1_000_000
"""Integers from here on are not classes: each class would get a name."""

_IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
_PATH_NAMES = (*_IMAGE_NAMES, "file_name", "path", "file")
_WANTED = {
    "image": "give encoded images (the bytes of PNG or JPEG files) or the paths of files",
    "label": "give texts, or whole numbers 0 to N-1 for N classes",
}
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "category", "y")


@dataclass(frozen=True)
class Columns:
    """Names of two columns; `classes` are those that the table itself names."""

    image: str
    label: str
    classes: tuple[str, ...] | None


def columns_of(schema: Any, place: str) -> Columns:
    """Return the image and the label column of a table, found by type and then by name.

    Raises:
        DataError: there is none or more than one that could be meant, or it is of a type that
            holds something else (which is named).
    """
    typed = _features(schema)
    images = {name: schema.field(name).type for name in schema.names if _holds_images(schema, name)}
    known = [name for name in images if typed.get(name, {}).get("_type") == "Image"]
    image = _choose(known or list(images), _IMAGE_NAMES, "image", place, schema)
    labels = [name for name in schema.names if name != image and _holds_labels(schema, name)]
    named = {name: names for name in labels if (names := _class_names(typed.get(name, {})))}
    usual = [name for name in labels if name in _LABEL_NAMES]
    label = _choose(list(named) or usual, _LABEL_NAMES, "label", place, schema)
    return Columns(image, label, named.get(label))


def numbered(
    values: Sequence[Any], column: str, names: tuple[str, ...] | None, place: str
) -> tuple[tuple[str, ...], Tensor]:
    """Return the class names of the labels, and the labels as int64 [N].

    Texts are classes in alphabetical order; numbers are their own names.

    Raises:
        DataError: a row has no label, or one too large to be a class.
    """
    for row, value in enumerate(values):
        if value is None or value == "":
            raise DataError(f"row {row} of {place} has no {column}: remove it")
    if names is not None:
        return names, _tensor(values, place)
    if values and isinstance(values[0], str):
        classes = tuple(sorted(set(values)))
        number = {name: index for index, name in enumerate(classes)}
        return classes, _tensor([number[value] for value in values], place)
    most = max(values, default=-1)
    if most >= _MOST_CLASSES:
        raise DataError(_too_large(place, most))
    return tuple(map(str, range(most + 1))), _tensor(values, place)


def value_type(kind: Any) -> Any:
    """Return the type of a column's values, also if these are listed separately (a categorical
    column).
    """
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: Any) -> bool:
    """Return whether values are texts, in any layout."""
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def is_bytes(kind: Any) -> bool:
    """Return whether values are bytes, in any layout."""
    types = pa.types
    fixed = types.is_fixed_size_binary(kind)
    return (
        fixed or types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    )


def is_whole(kind: Any) -> bool:
    """Return whether values are integers, of any width."""
    return pa.types.is_integer(kind)


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """Return the description of each column by Hugging Face `datasets`; empty if there is none."""
    try:
        held = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = held["info"]["features"]
        return {name: kind for name, kind in features.items() if isinstance(kind, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _class_names(feature: dict[str, Any]) -> tuple[str, ...] | None:
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(cast("list[str]", names))


def _holds_images(schema: Any, name: str) -> bool:
    """Return whether a column contains encoded images, or paths of files in a column with such a
    name.
    """
    kind = value_type(schema.field(name).type)
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        return is_bytes(fields.get("bytes", pa.null())) or is_text(fields.get("path", pa.null()))
    return is_bytes(kind) or (is_text(kind) and name in _PATH_NAMES)


def _holds_labels(schema: Any, name: str) -> bool:
    kind = value_type(schema.field(name).type)
    return is_text(kind) or is_whole(kind)


def _choose(
    candidates: list[str], preferred: tuple[str, ...], kind: str, place: str, schema: Any
) -> str:
    named = [name for name in preferred if name in candidates]
    if named:
        return named[0]
    if len(candidates) == 1:
        return candidates[0]
    for name in preferred:
        if not candidates and name in schema.names:
            raise DataError(
                f"{place} has a column {name} of type {schema.field(name).type}, which holds no "
                f"{kind}s: {_WANTED[kind]}"
            )
    fact = f"{len(candidates)} {kind} columns" if candidates else f"no {kind} column"
    raise DataError(
        f"{place} has {fact} among {', '.join(schema.names)}: name the one to use {preferred[0]!r}"
    )


def _tensor(values: Sequence[int], place: str) -> Tensor:
    try:
        return torch.tensor(values, dtype=torch.int64)
    except (RuntimeError, OverflowError):  # beyond 64 bits
        raise DataError(_too_large(place, max(values, key=abs))) from None


def _too_large(place: str, label: int) -> str:
    return f"{place} has the label {label}: labels must be texts, or 0 to N-1 for N classes"
