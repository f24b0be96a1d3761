"""Contract of a sub-command: its configuration, its function, and the display of its result."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.cli.flags import Flag


@dataclass(frozen=True, kw_only=True)
class Command:
    """Sub-command: the docstrings of its configuration are the help, the types the parser.

    `run` executes the configuration; `show` displays its result, and returns the content of
    `--json`. `positional` names the option that is given without a flag. The name of a command in a
    group includes the name of the group: `bench supernet`. `derived_flags` gives flags that replace
    those of its fields, or are in the section `flags.METHOD`: the values of these are the entries
    of its field `options`.
    """

    name: str
    config: type
    run: Callable[[Any], Any]
    show: Callable[[Any, Show], Any]
    positional: str = ""
    derived_flags: "Callable[[], Iterable[Flag]]" = tuple


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sub-commands with a common first word; `text` describes them.

    `parts` maps the second word to the command.
    """

    name: str
    text: str
    parts: Mapping[str, Command]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Options that every sub-command has."""

    json: bool = False
    """Print the result as JSON, one line, on standard output, and everything else on standard
    error.
    """
    debug: bool = False
    """Show the origin of an unexpected error (also: ARCHWRIGHT_DEBUG=1)."""


class UsageError(Exception):
    """Error of a command line that cannot be parsed; the text is one line."""
