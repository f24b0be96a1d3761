"""One-line explanations of invalid command lines, with the flag and the remedy."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from archwright.cli.flags import Flag
from archwright.engine.options import choices

CONVERTERS: Mapping[Any, Callable[[str], Any]] = {int: int, float: float, str: str, Path: Path}
"""How a word becomes a value, by the value's type; ValueError: it is none."""
_EXPECTED: Mapping[Any, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Given:
    """Flag as it was typed, with its arguments."""

    flag: Flag
    spelling: str
    values: tuple[str, ...]


def unknown_flag(command: str, spelling: str, known: Iterable[str]) -> str:
    """Return the line for a flag that the command does not have."""
    names = [name for name in known if name.startswith("--")]
    close = get_close_matches(spelling, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"see archwright {command} --help"
    return f"{command} has no flag {spelling}: {hint}"


def complaint_about_values(given: Given) -> str:
    """Return the line for values of a wrong number or type; empty if they are right."""
    flag, values = given.flag, given.values
    if flag.switch:
        return f"{given.spelling} takes no value, got {values[0]!r}" if values else ""
    if len(values) < len(flag.values):
        got = " ".join(map(repr, values)) or "nothing"
        return f"{given.spelling} needs {_expected(flag)}, got {got}"
    kinds = flag.values * len(values) if flag.many else flag.values
    for kind, value in zip(kinds, values, strict=False):
        if (words := choices(kind)) and value not in words:
            return f"{given.spelling} knows no {value!r}: {_nearest(value, words)}"
        if not words and not _fits(kind, value):
            return f"{given.spelling} needs {_expected(flag)}, got {value!r}"
    return ""


def unexpected_argument(place: Flag | None, left: Sequence[str]) -> str:
    """Return the line for the first word that no flag takes; empty if there is none."""
    if not left:
        return ""
    takes = f"takes one {place.usage}" if place else "takes flags only"
    return f"unexpected argument {left[0]!r}: the command {takes}"


def missing_flags(command: str, flags: Iterable[Flag], given: Collection[str]) -> str:
    """Return the line for required flags that are not `given`, by name; empty if none is."""
    lacking = [flag.usage for flag in flags if flag.required and flag.name not in given]
    return f"{command} needs {' and '.join(lacking)}" if lacking else ""


def _nearest(value: str, words: Sequence[str]) -> str:
    close = get_close_matches(value, words, n=1, cutoff=0.3)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}give {' or '.join(words)}"


def _fits(kind: Any, value: str) -> bool:
    try:
        CONVERTERS[kind](value)
    except ValueError:
        return False
    return True


def _expected(flag: Flag) -> str:
    kind = flag.values[0]
    if words := choices(kind):
        return " or ".join(words)
    text = _EXPECTED.get(kind, "a value")
    if len(flag.values) == 1:
        return text
    return f"{len(flag.values)} values, each {text}"
