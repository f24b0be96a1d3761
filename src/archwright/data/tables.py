"""The border with Hugging Face `datasets`: tables in, encoded images with labels out."""

import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archwright.data.decode import EncodedImages
from archwright.errors import DataError, not_installed, silenced

_MOST_CLASSES = 1_000_000
"""Whole numbers from here on are something else than classes: each would get a name."""

_IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "category", "y")


class HubError(Exception):
    """The first line of whatever kept a data set from being loaded from the hub."""


@dataclass(frozen=True)
class Labelled:
    """Encoded images of one split and the class names that its labels count."""

    classes: tuple[str, ...]
    images: EncodedImages


def optional(module: str) -> Any:
    """Import a module of the `data` extra; raises DataError with the remedy where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(not_installed(module, "load images")) from error


def from_hub(repository: str) -> Mapping[str, Any]:
    """All splits of a hub data set, by name; raises HubError where it cannot be had."""
    datasets = optional("datasets")
    try:
        with silenced("huggingface_hub"):  # each try again, of which the error speaks
            found = datasets.load_dataset(repository)
    # Three libraries (datasets, huggingface_hub, httpx) raise here, with no base class in common.
    except Exception as error:
        raise HubError(_first_line(error)) from error
    return dict(found)


def from_parquet(paths: list[Path]) -> Any:
    """The rows of parquet files as one table; raises DataError where one cannot be read."""
    datasets = optional("datasets")
    try:
        with _quiet(datasets), silenced("datasets"):
            return datasets.load_dataset(
                "parquet", data_files=[str(path.resolve()) for path in paths], split="train"
            )
    # pyarrow's and datasets' own errors, which wrap each other, have no base class in common.
    except Exception as error:
        where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        reason = _first_line(error.__cause__ or error)
        raise DataError(f"{where} gives no rows ({reason}): replace or remove it") from error


def from_files(classes: Mapping[str, list[Path]], place: str) -> Labelled:
    """Image files by class as a table; class k is the k-th key."""
    datasets = optional("datasets")
    features = datasets.Features({"image": datasets.Image(decode=False)})
    paths = [str(path) for files in classes.values() for path in files]
    table = datasets.Dataset.from_dict({"image": paths}, features=features)
    labels = [index for index, files in enumerate(classes.values()) for _ in files]
    images = EncodedImages(table, "image", torch.arange(len(paths)), torch.tensor(labels), place)
    return Labelled(tuple(classes), images)


def files_of(table: Any) -> tuple[Path, ...]:
    """The files that hold a table's rows on this machine."""
    return tuple(Path(entry["filename"]) for entry in table.cache_files)


def labelled(table: Any, place: str) -> Labelled:
    """The image and the label column of a table, found by type and then by name.

    Raises DataError where there is none or more than one that could be meant.
    """
    datasets = optional("datasets")
    column = _image_column(datasets, table, place)
    table = table.cast_column(column, datasets.Image(decode=False))
    label = _label_column(datasets, table, place, column)
    values: list[Any] = table[label][:]
    if any(value is None for value in values):
        row = next(row for row, value in enumerate(values) if value is None)
        raise DataError(f"row {row} of {place} has no {label}: remove it")
    feature = table.features[label]
    if isinstance(feature, datasets.ClassLabel):
        classes = tuple(feature.names)
    elif all(isinstance(value, str) for value in values):
        classes = tuple(sorted(set(values)))
        number = {name: index for index, name in enumerate(classes)}
        values = [number[value] for value in values]
    else:
        if max(values, default=0) >= _MOST_CLASSES:
            raise DataError(
                f"{place} has the label {max(values)}: labels must be texts, or 0 to N-1 for "
                f"N classes"
            )
        classes = tuple(str(index) for index in range(max(values, default=-1) + 1))
    labels = torch.tensor(values, dtype=torch.int64)
    rows = torch.arange(len(values))
    return Labelled(classes, EncodedImages(table, column, rows, labels, place))


def _image_column(datasets: Any, table: Any, place: str) -> str:
    features: dict[str, Any] = table.features
    typed = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    # Without the feature metadata, an image is a struct of bytes and path, or plain bytes.
    plain = [
        name
        for name, kind in features.items()
        if (isinstance(kind, dict) and "bytes" in kind) or getattr(kind, "dtype", "") == "binary"
    ]
    return _choose(typed or plain, _IMAGE_NAMES, "image", place, list(features))


def _label_column(datasets: Any, table: Any, place: str, image: str) -> str:
    features: dict[str, Any] = table.features
    typed = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    plain = [
        name
        for name, kind in features.items()
        if name != image
        and name in _LABEL_NAMES
        and (getattr(kind, "dtype", "") == "string" or "int" in getattr(kind, "dtype", ""))
    ]
    return _choose(typed or plain, _LABEL_NAMES, "label", place, list(features))


def _choose(
    candidates: list[str], preferred: tuple[str, ...], kind: str, place: str, columns: list[str]
) -> str:
    named = [name for name in preferred if name in candidates]
    if named:
        return named[0]
    if len(candidates) == 1:
        return candidates[0]
    fact = f"{len(candidates)} {kind} columns" if candidates else f"no {kind} column"
    raise DataError(
        f"{place} has {fact} among {', '.join(columns)}: name the one to use {preferred[0]!r}"
    )


@contextmanager
def _quiet(datasets: Any) -> Generator[None]:
    """No progress bar for what takes less than a second."""
    shown = not datasets.are_progress_bars_disabled()
    if shown:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".: ") if lines else type(error).__name__
