"""From the words of a command line to a configuration; tyro does the parsing."""

import contextlib
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Annotated, Any

from archwright.cli.command import Command, Output, UsageError
from archwright.cli.flags import Flag, flags_of
from archwright.cli.usage_errors import complaint, plain
from archwright.errors import ConfigError


@dataclass(frozen=True)
class Parsed:
    """A command line that was understood."""

    config: Any
    output: Output


def parse(command: Command, words: Sequence[str]) -> Parsed:
    """The configuration that `words`, those after the sub-command, describe.

    Raises:
        UsageError: they cannot be understood, or the configuration refuses a value; the flag is
            named.
    """
    import tyro

    flags = flags_of(command)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = tyro.cli(_options_type(flags), args=words, prog="archwright", add_help=False)
    except SystemExit:
        fallback = plain(said.getvalue())
        raise UsageError(complaint(command.name, flags, words) or fallback) from None
    for flag in flags:  # for tyro, none is a number of values, too
        if flag.many and not getattr(options, flag.name) and set(flag.spellings) & set(words):
            raise UsageError(complaint(command.name, flags, words))
    values: dict[str, Any] = {flag.name: getattr(options, flag.name) for flag in flags}
    output = Output(**{field.name: values.pop(field.name) for field in fields(Output)})
    if "command" in {field.name for field in fields(command.config)}:
        values["command"] = shlex.join(["archwright", *command.name.split(), *words])
    try:
        return Parsed(command.config(**values), output)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _options_type(flags: Sequence[Flag]) -> type:
    """The flags as a plain dataclass, each with what tyro must know about it.

    Not the configuration itself: what that refuses is to be its own error, not a parser's.
    """
    from tyro import conf

    columns: list[tuple[str, Any, Any]] = []
    for flag in flags:
        kind: Any = flag.kind if flag.default is not None else flag.kind | None
        marks: list[Any] = [conf.DisallowNone]
        marks += [conf.Positional] if flag.positional else []
        marks += [conf.FlagCreatePairsOff] if flag.switch and not flag.undecided else []
        default = field() if flag.required else field(default=flag.default)
        columns.append((flag.name, Annotated[(kind, *marks)], default))
    return make_dataclass("Options", columns, kw_only=True)
