"""Where images come from: a name or a path to the encoded images of two splits."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from archwright.data import reading, tables
from archwright.data.decode import EncodedImages
from archwright.data.splits import holdout
from archwright.errors import DataError, unknown

Constants = tuple[tuple[float, ...], tuple[float, ...]]

_TEST_NAMES = ("test", "validation", "valid", "val")


@dataclass(frozen=True)
class Splits:
    """The encoded images of a source, and its class names."""

    classes: tuple[str, ...]
    train: EncodedImages
    test: EncodedImages


@dataclass(frozen=True)
class Source:
    """A data set that was found but not read. `files` are what its content depends on."""

    name: str
    title: str
    files: tuple[Path, ...]
    open: Callable[[], Splits]
    image_size: int | None = None
    constants: Constants | None = None  # known mean and std


@dataclass(frozen=True)
class _Hub:
    """A data set known by a short name."""

    repository: str
    title: str
    image_size: int | None = None
    constants: Constants | None = None


_KNOWN = {
    "cifar10": _Hub("uoft-cs/cifar10", "CIFAR-10"),
    "cifar100": _Hub("uoft-cs/cifar100", "CIFAR-100"),
    "imagenet": _Hub(
        "ILSVRC/imagenet-1k", "ImageNet", 224, ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    ),
}


def find(name: str, root: Path | str | None) -> Source:
    """The source that `name` stands for: a place under `root`, else a path, else a hub name.

    Raises DataError where it is none of them.
    """
    base = root or os.environ.get("ARCHWRIGHT_DATA")
    places = [Path(name).expanduser()]
    if base is not None:
        places.insert(0, Path(base).expanduser() / name)
    for place in places:
        if place.is_dir():
            return _folder(place)
        if place.is_file():
            return _parquet(place.stem, place.stem, {"train": [place]})
    if name.startswith((".", "~")) or Path(name).is_absolute() or name.count("/") > 1:
        raise DataError(f"{name} does not exist: give a folder, a parquet file or a hub name")
    return _hub(name, places[:-1])


def _folder(folder: Path) -> Source:
    name, title = folder.resolve().name, _title(folder)
    files = sorted(path for path in folder.rglob("*.parquet") if _visible(path, folder))
    if files:
        return _parquet(name, title, _by_split(folder, files))
    parts = {"train": folder}
    if (folder / "train").is_dir():
        parts = {"train": folder / "train"}
        for other in _TEST_NAMES:
            if (folder / other).is_dir():
                parts["test"] = folder / other
                break
    found = {split: _class_files(part) for split, part in parts.items()}
    if not found["train"]:
        raise DataError(
            f"{parts['train']} holds no parquet file and no classes: "
            "give each class a sub-folder of images"
        )

    def read() -> Splits:
        opened = {
            split: tables.from_files(classes, str(parts[split])) for split, classes in found.items()
        }
        return _splits(name, opened)

    listed = [path for classes in found.values() for paths in classes.values() for path in paths]
    return Source(name, title, tuple(listed), read, *_settings(name))


def _parquet(name: str, title: str, files: Mapping[str, list[Path]]) -> Source:
    def read() -> Splits:
        opened = {
            split: tables.labelled(tables.from_parquet(paths), ", ".join(map(str, paths[:1])))
            for split, paths in files.items()
        }
        return _splits(name, opened)

    listed = tuple(path for paths in files.values() for path in paths)
    return Source(name, title, listed, read, *_settings(name))


def _hub(name: str, searched: list[Path]) -> Source:
    known = _KNOWN.get(name)
    repository = known.repository if known else name
    try:
        splits = tables.from_hub(repository)
    except tables.HubError as error:
        if known is None and "/" not in name:
            message = unknown("data set", name, [*_KNOWN, "digits"])
            raise DataError(f"{message}, a folder, or a hub name ({error})") from error
        looked = f" and {searched[0]} does not exist" if searched else ""
        raise DataError(
            f"cannot load {repository} from the Hugging Face hub ({error}){looked}: "
            "check the name and the network, or give a folder"
        ) from error

    def read() -> Splits:
        labelled = {
            split: tables.labelled(table, f"{repository} {split}")
            for split, table in splits.items()
            if split in ("train", *_TEST_NAMES)
        }
        if "train" not in labelled:
            raise DataError(f"{repository} has no train split, only {', '.join(splits)}")
        opened = {"train": labelled["train"]}
        for split in _TEST_NAMES:
            # Hidden labels are published as -1: such a split cannot test anything.
            if split in labelled and bool((labelled[split].images.labels >= 0).all()):
                opened["test"] = labelled[split]
                break
        return _splits(name, opened)

    files = tuple(path for table in splits.values() for path in tables.files_of(table))
    return Source(name, known.title if known else name, files, read, *_settings(name))


def _splits(name: str, opened: Mapping[str, tables.Labelled]) -> Splits:
    train, test = opened["train"], opened.get("test")
    for part in opened.values():
        if len(part.images) == 0:
            raise DataError(f"{part.images.place} holds no images: add some or remove it")
    if test is None:
        kept, held = holdout(len(train.images))
        if len(held) == 0:
            raise DataError(f"{name} holds a single image: none would be left for the test")
        return Splits(train.classes, train.images.subset(kept), train.images.subset(held))
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes)) or list(test.classes)
        raise DataError(
            f"train and test of {name} have different classes ({len(train.classes)} and "
            f"{len(test.classes)}; {odd[0]!r} differs): give both the same"
        )
    return Splits(train.classes, train.images, test.images)


def _by_split(folder: Path, files: list[Path]) -> dict[str, list[Path]]:
    named = {
        split: [path for path in files if path.name.startswith(split)]
        for split in ("train", *_TEST_NAMES)
    }
    test = next((named[split] for split in _TEST_NAMES if named[split]), None)
    if not named["train"]:
        if test is not None:
            raise DataError(f"{folder} holds {test[0].name} but no train*.parquet: add it")
        return {"train": files}
    return {"train": named["train"], "test": test} if test else {"train": named["train"]}


def _class_files(folder: Path) -> dict[str, list[Path]]:
    classes: dict[str, list[Path]] = {}
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        images = sorted(
            path
            for path in sub.rglob("*")
            if path.suffix.lower() in reading.SUFFIXES and _visible(path, folder)
        )
        if images:
            classes[sub.name] = images
    return classes


def _visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _title(folder: Path) -> str:
    """The `title` in the folder's `archwright.json`, or the folder's name."""
    file = folder / "archwright.json"
    if not file.is_file():
        return folder.resolve().name
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f'{file} is not JSON: write {{"title": "..."}} or remove it') from error
    title = cast(dict[str, Any], content).get("title") if isinstance(content, dict) else None
    if not isinstance(title, str):
        raise DataError(f'{file} gives no title: write {{"title": "..."}} or remove it')
    return title


def _settings(name: str) -> tuple[int | None, Constants | None]:
    known = _KNOWN.get(name)
    return (known.image_size, known.constants) if known else (None, None)
