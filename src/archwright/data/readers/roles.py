"""Usual names of splits, as folders and in the names of files."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from archwright.errors import DataError

Role = Literal["train", "validation", "test", "eval"]

_USUAL: Mapping[Role, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
    "eval": ("eval", "evaluation"),
}
_NAMES: Mapping[str, Role] = {name: role for role, names in _USUAL.items() for name in names}
SCORED: tuple[Role, ...] = ("test", "eval", "validation")
"""Roles for evaluation: the first of these that exists is used."""

_FOLDER = re.compile(r"([a-z]+?)[ _-]*(?:sets?|data|images?|imgs?|split|samples)?[ _-]*\d*")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def folder_role(name: str) -> Role | None:
    """Return the split that a folder's whole name stands for, in any case: `Training`,
    `val2017`.
    """
    match = _FOLDER.fullmatch(name.lower())
    return _NAMES.get(match[1]) if match else None


def folder_roles(names: Iterable[str]) -> dict[str, Role]:
    """Return the split of each name that stands for one."""
    found: dict[str, Role] = {}
    for name in names:
        role = folder_role(name)
        if role is not None:
            found[name] = role
    return found


def word_roles(name: str) -> set[Role]:
    """Return the splits that words of a name indicate: `seg_train`, `test-00000-of-00001`."""
    words = {word.lower().removesuffix("set") for word in _WORDS.findall(name)}
    return {_NAMES[word] for word in words if word in _NAMES}


def by_role(named: Mapping[str, Role], place: str) -> dict[Role, str]:
    """Return the one name of each role.

    Raises:
        DataError: two have the same role (both are named).
    """
    found: dict[Role, str] = {}
    for name, role in named.items():
        if role in found:
            raise DataError(
                f"{place} holds {found[role]} and {name}, both names of the {role} split: keep one"
            )
        found[role] = name
    return found


def scored_on(roles: Iterable[Role]) -> Role | None:
    """Return the role of the split for evaluation: the test, else eval, else the validation."""
    held = set(roles)
    return next((role for role in SCORED if role in held), None)
