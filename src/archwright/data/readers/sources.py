"""Sources of images: from a name or a path to the encoded images of two splits."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from archwright.data.decoding.decode import EncodedImages
from archwright.data.readers import hub
from archwright.data.readers.folders import Listing, count_of, layout, scan, some_of
from archwright.data.readers.roles import Role, by_role, folder_roles, scored_on, word_roles
from archwright.data.splits import holdout
from archwright.errors import DataError, unknown

Constants = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Splits:
    """Encoded images of a source, and its class names."""

    classes: tuple[str, ...]
    train: EncodedImages
    test: EncodedImages


@dataclass(frozen=True)
class Source:
    """Data set that was found but not read.

    `files` are the files on which its content depends; `left_out` describes the unused ones.
    """

    name: str
    title: str
    files: tuple[Path, ...]
    open: Callable[[], Splits]
    left_out: tuple[str, ...] = ()
    image_size: int | None = None
    constants: Constants | None = None  # known mean and std


@dataclass(frozen=True)
class _Hub:
    """Data set with a short name."""

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
    """Return the source that `name` stands for: a place under `root`, else a path, else a hub name.

    Raises:
        DataError: it is none of them.
    """
    places = [Path(name).expanduser()]
    if (under := under_root(name, root)) is not None:
        places.insert(0, under)
    for place in places:
        if place.is_dir():
            return _folder(place)
        if place.is_file():
            return _parquet(place.stem, place.stem, {"train": [place]})
    if _is_path(name, places):
        raise DataError(
            f"{name} does not exist: {_hint(places)}give a folder, a parquet file or a hub name"
        )
    return _hub(name, places[:-1])


def under_root(name: str, root: Path | str | None) -> Path | None:
    """Return the place of that name under `root`, or else under `$ARCHWRIGHT_DATA`, if either is
    given.
    """
    base = root or os.environ.get("ARCHWRIGHT_DATA")
    return None if base is None else Path(base).expanduser() / name


def _is_path(name: str, places: list[Path]) -> bool:
    """Return whether a name of nothing that exists was meant as a path, not as a hub name."""
    if name.startswith((".", "~")) or name.endswith((os.sep, ".parquet")) or "\\" in name:
        return True
    inside = "/" in name and any(place.parent.is_dir() for place in places)
    return inside or Path(name).is_absolute() or name.count("/") > 1


def _hint(places: list[Path]) -> str:
    """Return the nearest existing name."""
    for place in places:
        if place.parent.is_dir() and os.access(place.parent, os.R_OK):
            close = get_close_matches(place.name, os.listdir(place.parent), n=1)
            if close:
                return f"did you mean {place.parent / close[0]}? "
    return ""


def _folder(folder: Path) -> Source:
    name, title = folder.resolve().name, _title(folder)
    found = scan(folder)
    if found.tables:
        if found.images:
            raise DataError(
                f"{folder} holds {count_of(len(found.tables), 'parquet file')} and "
                f"{count_of(len(found.images), 'image file')}: keep one kind"
            )
        return _tables(name, title, found)
    arranged = layout(found)

    def read() -> Splits:
        train = hub.from_files(arranged.train, f"{folder}")
        test = hub.from_files(arranged.test, f"{folder}") if arranged.test else None
        return _splits(name, train, test)

    both = [*arranged.train.values(), *(arranged.test.values() if arranged.test else ())]
    listed = tuple(path for paths in both for path in paths)
    return Source(name, title, listed, read, arranged.left_out, *_settings(name))


def _tables(name: str, title: str, found: Listing) -> Source:
    """Return the parquet files of a folder, by the splits in their names or in those of their
    folders.
    """
    by_split: dict[Role, list[Path]] = {}
    unnamed: list[Path] = []
    for parts in sorted(found.tables):
        path = found.root.joinpath(*parts)
        roles = word_roles(path.stem).union(folder_roles(parts[:-1]).values())
        if len(roles) > 1:
            raise DataError(
                f"{path} could be of the {' or the '.join(sorted(roles))} split: rename it"
            )
        for role in roles:
            by_split.setdefault(role, []).append(path)
        if not roles:
            unnamed.append(path)
    if not by_split:
        return _parquet(name, title, {"train": unnamed})
    if "train" not in by_split:
        (first, *_), *_ = by_split.values()
        raise DataError(
            f"{found.root} holds {first.relative_to(found.root)} but no train*.parquet: add it"
        )
    names = [str(path.relative_to(found.root)) for path in unnamed]
    beside = [f"{some_of(names)} (of no split)"] if names else []
    return _parquet(name, title, by_split, beside)


def _parquet(
    name: str, title: str, files: Mapping[Role, list[Path]], beside: Sequence[str] = ()
) -> Source:
    test = scored_on(files)
    used = [files["train"], *([files[test]] if test else [])]

    def read() -> Splits:
        train, *others = (hub.from_parquet(paths) for paths in used)
        return _splits(name, train, others[0] if others else None)

    left = [f"the {role} split" for role in files if role not in ("train", test)]
    listed = tuple(path for paths in used for path in paths)
    return Source(name, title, listed, read, (*left, *beside), *_settings(name))


def _hub(name: str, searched: list[Path]) -> Source:
    known = _KNOWN.get(name)
    repository = known.repository if known else name
    try:
        splits = hub.from_hub(repository)
    except hub.HubError as error:
        if known is None and "/" not in name:
            message = unknown("data set", name, [*_KNOWN, "digits"])
            raise DataError(f"{message}, a folder, or a hub name ({error})") from error
        looked = f" and {searched[0]} does not exist" if searched else ""
        raise DataError(
            f"cannot load {repository} from the Hugging Face hub ({error}){looked}: "
            "check the name and the network, or give a folder"
        ) from error
    roles = by_role(folder_roles(splits), repository)
    if "train" not in roles:
        raise DataError(f"{repository} has no train split, only {', '.join(splits)}")
    places = {role: f"{repository} {split}" for role, split in roles.items()}
    hidden = [
        role
        for role, split in roles.items()
        if role != "train" and hub.hides_labels(splits[split], places[role])
    ]
    test = scored_on(role for role in roles if role not in hidden)

    def read() -> Splits:
        train, *others = (
            hub.labelled(splits[roles[role]], places[role])
            for role in ("train", test)
            if role is not None
        )
        return _splits(name, train, others[0] if others else None)

    used = {roles["train"], roles[test] if test else None}
    left = [f"the split {split}" for split in splits if split not in used]
    files = tuple(path for table in splits.values() for path in hub.files_of(table))
    title = known.title if known else name
    return Source(name, title, files, read, tuple(left), *_settings(name))


def _splits(name: str, train: hub.LabelledBatches, test: hub.LabelledBatches | None) -> Splits:
    """Return the two splits; the test images are held out of the others if they are not separate.

    Raises:
        DataError: a split has no images, or other classes than the other; a label is of no class,
            or a number of no image; less than half of the classes could be scored.
    """
    for part in (train, test):
        if part is not None:
            _require_labels(part)
    _require_no_gap(train)
    if test is not None and train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes)) or list(test.classes)
        raise DataError(
            f"train and test of {name} have different classes ({len(train.classes)} and "
            f"{len(test.classes)}; {odd[0]!r} differs): give both the same"
        )
    if test is None:
        if len(train.images) == 1:
            raise DataError(f"{name} holds a single image: none would be left for the test")
        kept, held = holdout(train.images.labels)
        splits = Splits(train.classes, train.images.subset(kept), train.images.subset(held))
        lack = "less than two images, one to train on and one to test on"
    else:
        splits, lack = Splits(train.classes, train.images, test.images), "no test image"
    scored = len(splits.test.labels.unique())
    if 2 * scored < len(train.classes):
        raise DataError(
            f"{len(train.classes) - scored} of the {len(train.classes)} classes of {name} have "
            f"{lack}: add images, so that at least half of the classes can be scored"
        )
    return splits


def _require_labels(part: hub.LabelledBatches) -> None:
    if len(part.images) == 0:
        raise DataError(f"{part.images.place} holds no images: add some or remove it")
    low, high = int(part.images.labels.min()), int(part.images.labels.max())
    if low < 0 or high >= len(part.classes):
        raise DataError(
            f"{part.images.place} holds label {low if low < 0 else high}, outside its "
            f"{len(part.classes)} classes: labels are 0 to {len(part.classes) - 1}"
        )


def _require_no_gap(train: hub.LabelledBatches) -> None:
    counts = train.images.labels.bincount(minlength=len(train.classes)).tolist()
    gaps = [name for name, count in zip(train.classes, counts, strict=True) if not count]
    if gaps and not train.named:
        raise DataError(
            f"no image of {train.images.place} has the label {some_of(gaps)}, though labels go up "
            f"to {len(train.classes) - 1}: number the classes 0 to N-1, or give texts"
        )


def _title(folder: Path) -> str:
    """Return the `title` in the folder's `archwright.json`, or the folder's name."""
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
