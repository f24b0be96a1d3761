"""Content of a folder: class folders of images, possibly inside folders of splits."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archwright.data.readers.reading import SUFFIXES
from archwright.data.readers.roles import Role, by_role, folder_roles, scored_on, word_roles
from archwright.errors import DataError

Parts = tuple[str, ...]
Classes = dict[str, list[Path]]

_JUNK = frozenset(
    name.lower()
    for name in (
        *("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"),
        *("Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r"),
    )
)
"""Files that operating systems leave behind; they are ignored like hidden files and folders."""
_NAMED = 3  # kinds of files, or folders, that a note names


@dataclass(frozen=True)
class Listing:
    """Content of the folder `root` and below; each entry is its relative path, in parts."""

    root: Path
    folders: list[Parts] = field(default_factory=list[Parts])
    images: list[Parts] = field(default_factory=list[Parts])
    tables: list[Parts] = field(default_factory=list[Parts])
    others: list[Parts] = field(default_factory=list[Parts])

    @property
    def subfolders(self) -> list[str]:
        """Names of the folders directly in it."""
        return sorted(parts[0] for parts in self.folders if len(parts) == 1)

    @property
    def loose(self) -> int:
        """Images directly in it, which belong to no folder."""
        return sum(len(parts) == 1 for parts in self.images)

    def below(self, name: str) -> "Listing":
        """Return the part of it that is in the sub-folder `name`."""
        kinds = (self.folders, self.images, self.tables, self.others)
        return Listing(
            self.root / name,
            *([p[1:] for p in kind if p[0] == name and len(p) > 1] for kind in kinds),
        )

    def classes(self) -> Classes:
        """Images in and below each sub-folder, sorted; empty if there are none."""
        found: Classes = {name: [] for name in self.subfolders}
        for parts in sorted(self.images):
            if len(parts) > 1:
                found[parts[0]].append(self.root.joinpath(*parts))
        return found


@dataclass(frozen=True)
class Layout:
    """Classes of the training images, and of the test images if they are separate.

    `left_out` describes the files that are not used.
    """

    train: Classes
    test: Classes | None
    left_out: tuple[str, ...]


def scan(root: Path) -> Listing:
    """Return the content of `root`; links are followed, and hidden entries ignored.

    Raises:
        DataError: a folder may not be read, or its name cannot be written down.
    """
    found = Listing(root)
    stack: list[tuple[Parts, str, frozenset[tuple[int, int]]]] = [((), str(root), frozenset())]
    while stack:
        parts, place, above = stack.pop()
        try:
            stat = os.stat(place)
            if (stat.st_dev, stat.st_ino) in above:  # a link to a folder that it is in
                continue
            above = above | {(stat.st_dev, stat.st_ino)}
            with os.scandir(place) as entries:
                named = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"{place} cannot be read ({error.strerror}): allow it, or take it out of {root}"
            ) from None
        if parts:
            found.folders.append(parts)
        for entry in named:
            if entry.name.startswith(".") or entry.name.lower() in _JUNK:
                continue
            inner = (*parts, entry.name)
            if entry.is_dir():
                _require_text(entry.name, place)
                stack.append((inner, entry.path, above))
                continue
            suffix = os.path.splitext(entry.name)[1].lower()
            if not (entry.is_file() or entry.is_symlink()):  # a pipe would be waited for
                found.others.append(inner)
            elif suffix in SUFFIXES:
                found.images.append(inner)
            elif suffix == ".parquet":
                found.tables.append(inner)
            elif inner != ("archwright.json",):
                found.others.append(inner)
    return found


def layout(found: Listing) -> Layout:
    """Return the splits and classes that folders stand for.

    Raises:
        DataError: there are no classes, or a class without images; or folders could be splits as
            well as classes (both readings are named).
    """
    named = folder_roles(found.subfolders)
    if not _are_splits(found, named):
        return Layout(_classes(found), None, _notes(found, _loose(found)))
    roles = by_role(named, str(found.root))
    if "train" not in roles:
        raise DataError(
            f"{found.root} holds {', '.join(named)} but no training images: add them as train"
        )
    parts = {role: found.below(name) for role, name in roles.items()}
    test = scored_on(roles)
    kept: list[Role] = ["train", test] if test else ["train"]
    out = [name for name in found.subfolders if name not in {roles[role] for role in kept}]
    left = Counter(parts[0] for parts in found.images if len(parts) > 1 and parts[0] in out)
    notes = [f"{name} ({count_of(left[name], 'image')})" for name in out if left[name]]
    return Layout(
        _classes(parts["train"]),
        _classes(parts[test]) if test else None,
        _notes(found, [*_loose(found), *(n for role in kept for n in _loose(parts[role])), *notes]),
    )


def count_of(number: int, thing: str) -> str:
    """Return a number with its noun: `1 image`, `2,000 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str], most: int = _NAMED) -> str:
    """Return the first few names, and the number of the rest."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _are_splits(found: Listing, named: dict[str, Role]) -> bool:
    """Return whether the folders with names of splits are splits.

    Raises:
        DataError: they could as well be classes.
    """
    if not named:
        return False
    deep = {parts[0] for parts in found.images if len(parts) > 2}
    flat = {parts[0] for parts in found.images if len(parts) == 2}
    others = [name for name in found.subfolders if name not in named and name in deep | flat]
    splits = [name for name in named if name in deep]
    direct = [name for name in named if name in flat and name not in deep]
    roles = set(named.values())
    if not splits and others and not {"train"} < roles:
        return False  # a class may be called train, or test
    if direct:
        raise DataError(
            f"{found.root} holds images directly in {some_of(direct)}: a split needs a sub-folder "
            f"for each class, and a class needs another name"
        )
    if splits and others and not {"train"} < roles:
        raise DataError(
            f"{found.root} holds {some_of(splits)} beside {some_of(others)}: put the classes of "
            f"the training images under train, or give a class another name than that of a split"
        )
    return bool(splits)


def _require_no_splits(found: Listing) -> None:
    """Refuse an extra folder, and classes that have names of splits or contain splits."""
    inner: dict[str, list[str]] = {}
    for parts in found.folders:
        if len(parts) == 2:
            inner.setdefault(parts[0], []).append(parts[1])
    tops = found.subfolders
    if len(tops) == 1 and tops[0] in inner:
        raise DataError(
            f"{found.root} holds only the folder {tops[0]}: give {found.root / tops[0]}, or a "
            f"sub-folder for each class"
        )
    deeper = ((found.root / name, inner[name]) for name in sorted(inner))
    for place, names in ((found.root, tops), *deeper):
        if {"train"} < set[Role]().union(*map(word_roles, names)):
            raise DataError(
                f"{place} holds {some_of(sorted(names))}, which read like splits and not like "
                f"classes: call folders of splits train and test, and put those of classes below"
            )


def _classes(found: Listing) -> Classes:
    _require_no_splits(found)
    classes = found.classes()
    if not any(classes.values()):
        skipped = f" ({_skipped(found.others)})" if found.others else ""
        raise DataError(
            f"{found.root} holds no parquet file and no classes{skipped}: give each class a "
            f"sub-folder of images"
        )
    for name, images in classes.items():
        if not images:
            inside = [parts for parts in found.others if parts[0] == name]
            skipped = f", only {_skipped(inside)}" if inside else ""
            raise DataError(
                f"class {name!r} of {found.root} has no images{skipped}: add some in a format such "
                f"as PNG or JPEG, or remove the folder"
            )
    return classes


def _loose(found: Listing) -> list[str]:
    if not found.loose:
        return []
    return [f"{count_of(found.loose, 'image')} of {found.root.name} in no class folder"]


def _notes(found: Listing, notes: Sequence[str]) -> tuple[str, ...]:
    return (*notes, *([_skipped(found.others)] if found.others else []))


def _skipped(others: Sequence[Parts]) -> str:
    """Return the number of files that are no images, by kind."""
    kinds = Counter(os.path.splitext(parts[-1])[1].lower() or "no suffix" for parts in others)
    told = [f"{k} {count:,}" for k, count in sorted(kinds.items(), key=lambda k: (-k[1], k[0]))]
    return f"{count_of(len(others), 'file')} of no known image format ({some_of(told)})"


def _require_text(name: str, place: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{place} holds a folder whose name is no UTF-8, {name!r}: rename it"
        ) from None
