"""Flags, read off a configuration: the one list that is parsed, explained and shown as help."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

from archwright.bench.options import BenchOptions
from archwright.cli.command import Command, Output
from archwright.cost.registry import Limits, Targets
from archwright.engine.options import RunOptions, choices, without_none

_SHARED = (RunOptions, BenchOptions)
"""What has the options that are shown last, those of every run or of every bench of runs."""
_DERIVED = (Limits, Targets)
"""Classes that are made, with the texts of their fields in their metadata."""
_OWN = {"data", "seeds", "out"}
"""What is shown among a command's own options nevertheless."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An option of a sub-command; `kind` is its type without None, `section` its place in help."""

    name: str
    kind: Any
    default: Any
    text: str
    section: str
    positional: bool = False
    unset: str | None = None
    """What None stands for, if the configuration says it."""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING

    @property
    def spellings(self) -> tuple[str, ...]:
        """How it is written; an undecided switch can also be turned off."""
        word = self.name.replace("_", "-")
        if self.positional:
            return (self.name.rstrip("s").upper(),)
        return (f"--{word}", f"--no-{word}") if self.undecided else (f"--{word}",)

    @property
    def switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind is bool

    @property
    def undecided(self) -> bool:
        """Whether it is a switch that something else decides unless it is given."""
        return self.switch and self.default is None

    @property
    def values(self) -> tuple[Any, ...]:
        """The type of each value that it takes; of any number of values, the one type."""
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
        """The flag with what stands behind it: `--epochs N`."""
        dots = " ..." if self.many else ""
        if self.positional:
            return self.spellings[0] + dots
        return " ".join([", ".join(self.spellings), *map(_metavar, self.values)]) + dots


def flags_of(command: Command) -> tuple[Flag, ...]:
    """Every flag of a sub-command: required ones first, those that all have last."""
    found = [*_read(command.config, command), *_read(Output, command)]
    order = {command.name: 0, "run": 1, "output": 2}
    return tuple(sorted(found, key=lambda flag: (order[flag.section], not flag.required)))


def _read(config: type, command: Command) -> Iterator[Flag]:
    hints, texts = get_type_hints(config), _texts(config)
    shared = {f.name for cls in _SHARED if issubclass(config, cls) for f in fields(cls)} - _OWN
    for field in fields(config):
        if not field.metadata.get("flag", True):
            continue
        section = "run" if field.name in shared else command.name
        yield Flag(
            name=field.name,
            kind=without_none(hints[field.name]),
            default=field.default,
            text=field.metadata.get("help") or texts.get(field.name, ""),
            unset=field.metadata.get("unset"),
            section="output" if config is Output else section,
            positional=field.name == command.positional,
        )


def _metavar(kind: Any) -> str:
    if words := choices(kind):
        return "{" + ",".join(words) + "}"
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _texts(config: type) -> dict[str, str]:
    """The string under each field, as a line; a class's own before those of its bases."""
    found: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        if not is_dataclass(cls) or cls in _DERIVED:
            continue
        source = ast.parse(textwrap.dedent(inspect.getsource(cls)))
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
