"""Parser: from the arguments of a command line to a configuration, or to an error of one line."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from archwright.cli.command import Command, Output, UsageError
from archwright.cli.flags import METHOD, Flag, flags_of
from archwright.cli.usage_errors import (
    CONVERTERS,
    Given,
    complaint_about_values,
    missing_flags,
    unexpected_argument,
    unknown_flag,
)
from archwright.engine.options import choices
from archwright.errors import ConfigError


@dataclass(frozen=True)
class Parsed:
    """Command line after parsing."""

    config: Any
    output: Output


def parse(command: Command, words: Sequence[str]) -> Parsed:
    """Return the configuration for `words`, the arguments after the sub-command.

    Raises:
        UsageError: they cannot be parsed, or the configuration refuses a value; the flag is
            named.
    """
    try:
        flags = flags_of(command)
        given, loose = _split(command.name, flags, words)
        values = _values(command.name, flags, given, loose)
        output = Output(**{field.name: values.pop(field.name) for field in fields(Output)})
        own = {flag.name: values.pop(flag.name) for flag in flags if flag.section == METHOD}
        if own:
            values["options"] = {name: v for name, v in own.items() if v is not None}
        if "command" in {field.name for field in fields(command.config)}:
            values["command"] = shlex.join(["archwright", *command.name.split(), *words])
        return Parsed(command.config(**values), output)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _split(
    command: str, flags: Sequence[Flag], words: Sequence[str]
) -> tuple[list[Given], list[str]]:
    """Return the flags with the arguments behind them, and the arguments without a flag.

    A flag takes at most as many arguments as it has values; `--flag=value` gives it one.
    """
    known = {spelling: flag for flag in flags for spelling in flag.spellings}
    given: list[Given] = []
    loose: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":  # nothing after it is a flag
            return given, loose + rest
        if not _is_flag(word):
            loose.append(word)
            continue
        spelling, equals, value = word.partition("=")
        spelling = spelling.replace("_", "-")
        if spelling not in known:
            raise UsageError(unknown_flag(command, spelling, known))
        flag = known[spelling]
        taken = [value] if equals else []
        while not equals and rest and not _is_flag(rest[0]):
            if not flag.many and len(taken) == len(flag.values):
                break
            taken.append(rest.pop(0))
        given.append(Given(flag, spelling, tuple(taken)))
    return given, loose


def _is_flag(word: str) -> bool:
    """Return whether an argument is a flag: a negative number is none, and - is a name."""
    return len(word) > 1 and word[0] == "-" and not word[1:].removeprefix(".")[:1].isdigit()


def _values(
    command: str, flags: Sequence[Flag], given: Sequence[Given], loose: Sequence[str]
) -> dict[str, Any]:
    """Return the value of every flag, by its name; of a repeated flag, the last value.

    Raises:
        UsageError: a value is of another type, or a flag is missing.
    """
    place = next((flag for flag in flags if flag.positional), None)
    if place is not None and loose:
        many = tuple(loose) if place.many else tuple(loose[:1])
        given = [*given, Given(place, place.spellings[0], many)]
        loose = loose[len(many) :]
    complaints = [
        *map(complaint_about_values, given),
        unexpected_argument(place, loose),
        missing_flags(command, flags, {one.flag.name for one in given}),
    ]
    for complaint in filter(None, complaints):
        raise UsageError(complaint)
    values = {flag.name: flag.default for flag in flags}
    return values | {one.flag.name: _value(one) for one in given}


def _value(given: Given) -> Any:
    flag, words = given.flag, given.values
    if flag.switch:
        return given.spelling == flag.spellings[0]
    kinds = flag.values * len(words) if flag.many else flag.values
    found = tuple(
        word if choices(kind) else CONVERTERS[kind](word)
        for kind, word in zip(kinds, words, strict=True)
    )
    return found if flag.many or len(flag.values) > 1 else found[0]
