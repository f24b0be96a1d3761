"""Explain in one line why a command line is not understood, with the flag and the remedy."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from archwright.cli.flags import Flag
from archwright.engine.options import choices

_EXPECTED: dict[Any, tuple[Callable[[str], object], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
}


@dataclass(frozen=True)
class _Given:
    """Flag as it was written, and the values behind it."""

    flag: Flag
    spelling: str
    values: tuple[str, ...]


def complaint(command: str, flags: Sequence[Flag], words: Sequence[str]) -> str:
    """Return the first fault of `words`, or "" if none is found."""
    known = {spelling: flag for flag in flags for spelling in flag.spellings}
    given: list[_Given] = []
    loose: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not _is_flag(word):
            loose.append(word)
            continue
        spelling, equals, value = word.partition("=")
        spelling = spelling.replace("_", "-")
        if spelling not in known:
            return _unknown_flag(command, spelling, known)
        values = [value] if equals else _take(known[spelling], rest)
        given.append(_Given(known[spelling], spelling, tuple(values)))
    complaints = [
        *map(_bad_values, given),
        _loose(flags, loose),
        _missing(command, flags, given, loose),
    ]
    return next((complaint for complaint in complaints if complaint), "")


def plain(text: str) -> str:
    """Return the words of a text in boxes, on one line."""
    return " ".join(re.sub(r"[\u2500-\u257f]+|-{3,}", " ", text).split())


def _is_flag(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not re.match(r"-\.?\d", word)


def _take(flag: Flag, rest: list[str]) -> list[str]:
    """Remove the values of `flag` from the head of `rest`."""
    taken: list[str] = []
    while rest and not _is_flag(rest[0]) and (flag.many or len(taken) < len(flag.values)):
        taken.append(rest.pop(0))
    return taken


def _unknown_flag(command: str, spelling: str, known: dict[str, Flag]) -> str:
    names = [name for name in known if name.startswith("--")]
    close = get_close_matches(spelling, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"see archwright {command} --help"
    return f"{command} has no flag {spelling}: {hint}"


def _bad_values(given: _Given) -> str:
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


def _nearest(value: str, words: Sequence[str]) -> str:
    close = get_close_matches(value, words, n=1, cutoff=0.3)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}give {' or '.join(words)}"


def _fits(kind: Any, value: str) -> bool:
    if kind not in _EXPECTED:
        return True
    try:
        _EXPECTED[kind][0](value)
    except ValueError:
        return False
    return True


def _expected(flag: Flag) -> str:
    kind = flag.values[0]
    if words := choices(kind):
        return " or ".join(words)
    text = _EXPECTED[kind][1] if kind in _EXPECTED else "a value"
    if len(flag.values) == 1:
        return text
    return f"{len(flag.values)} values, each {text}"


def _loose(flags: Sequence[Flag], loose: Sequence[str]) -> str:
    places = [flag for flag in flags if flag.positional]
    if any(flag.many for flag in places) or len(loose) <= len(places):
        return ""
    what = f"takes one {places[0].usage}" if places else "takes flags only"
    return f"unexpected argument {loose[len(places)]!r}: the command {what}"


def _missing(
    command: str, flags: Sequence[Flag], given: Sequence[_Given], loose: Sequence[str]
) -> str:
    there = {one.flag.name for one in given} | {f.name for f in flags if f.positional and loose}
    lacking = [flag.usage for flag in flags if flag.required and flag.name not in there]
    return f"{command} needs {' and '.join(lacking)}" if lacking else ""
