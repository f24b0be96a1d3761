"""Flags, derived from a configuration: one list for parsing, help and messages."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

from archwright.bench.engine.options import BenchOptions
from archwright.cli.command import Command, Output
from archwright.cost.registry import Limits, Targets
from archwright.engine.options import RunOptions, choices, without_none

_SHARED = (RunOptions, BenchOptions)
"""What has the options that are shown last, those of every run or of every bench of runs."""
_DERIVED = (Limits, Targets)
"""Classes that are made, with the texts of their fields in their metadata."""
_OWN = {"data", "seeds", "out"}
"""What is shown among a command's own options nevertheless."""
METHOD = "options of methods"
"""The section of flags that are no fields of the configuration, but entries of its `options`."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Option of a sub-command; `kind` is its type without None, `section` its place in help.

    `unset` is the meaning of None, if the configuration states it; `hint` the behaviour without the
    flag, if its default does not say it.
    """

    name: str
    kind: Any
    default: Any
    text: str
    section: str
    positional: bool = False
    unset: str | None = None
    hint: str = ""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING

    @property
    def spellings(self) -> tuple[str, ...]:
        """Return its spellings; a switch that is not off by default can also be turned off."""
        word = self.name.replace("_", "-")
        if self.positional:
            return (self.name.rstrip("s").upper(),)
        both = self.undecided or (self.switch and self.default is True)
        return (f"--{word}", f"--no-{word}") if both else (f"--{word}",)

    @property
    def switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind is bool

    @property
    def undecided(self) -> bool:
        """True for a switch without a default of its own."""
        return self.switch and self.default is None

    @property
    def values(self) -> tuple[Any, ...]:
        """Types of its values, one per value; of any number of values, the one type."""
        if self.switch:
            return ()
        if get_origin(self.kind) is tuple:
            return tuple(kind for kind in get_args(self.kind) if kind is not Ellipsis)
        return (self.kind,)

    @property
    def many(self) -> bool:
        """Whether it takes any number of values."""
        return Ellipsis in get_args(self.kind)

    @property
    def usage(self) -> str:
        """The flag with its value: `--epochs N`."""
        dots = " ..." if self.many else ""
        if self.positional:
            return self.spellings[0] + dots
        return " ".join([", ".join(self.spellings), *map(_metavar, self.values)]) + dots


def flags_of(command: Command) -> tuple[Flag, ...]:
    """Return every flag of a sub-command: required flags first, flags of all sub-commands last."""
    shared = {
        field.name for cls in _SHARED if issubclass(command.config, cls) for field in fields(cls)
    }
    found: dict[str, Flag] = {}
    for flag in read_flags(command.config, command.name):
        section = "run" if flag.name in shared - _OWN else command.name
        positional = flag.name == command.positional
        found[flag.name] = replace(flag, section=section, positional=positional)
    found |= {flag.name: flag for flag in command.derived_flags()}
    found |= {flag.name: flag for flag in read_flags(Output, "output")}
    order = {command.name: 0, METHOD: 1, "run": 2, "output": 3}
    return tuple(sorted(found.values(), key=lambda flag: (order[flag.section], not flag.required)))


def read_flags(config: type, section: str) -> Iterator[Flag]:
    """Yield a flag for each field of a dataclass; its text is the string under the field."""
    hints, texts = get_type_hints(config), _texts(config)
    for field in fields(config):
        if field.metadata.get("flag", True):
            yield Flag(
                name=field.name,
                kind=without_none(hints[field.name]),
                default=field.default,
                text=field.metadata.get("help") or texts.get(field.name, ""),
                unset=field.metadata.get("unset"),
                section=section,
            )


def _metavar(kind: Any) -> str:
    if words := choices(kind):
        return "{" + ",".join(words) + "}"
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _texts(config: type) -> dict[str, str]:
    """Return the string under each field, as a line; a class's own fields before those of its
    bases.
    """
    found: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        if is_dataclass(cls) and cls not in _DERIVED:
            found |= _own_texts(cls)
    return found


@cache
def _own_texts(cls: type) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        source = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # a class that was typed in has no file
        return found
    for statement, after in pairwise(cast(ast.ClassDef, source.body[0]).body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
