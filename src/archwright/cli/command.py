"""What a sub-command is: a configuration, and what is done with it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.cli.flags import Flag


@dataclass(frozen=True, kw_only=True)
class Command:
    """A sub-command: the docstrings of its configuration are the help, the types the parser.

    `run` does what the configuration says; `show` shows its result to people, and returns what
    `--json` prints. `positional` names the option that is given without a flag; a command of a
    group has the group's name in its own: `bench supernet`. `derived_flags` gives flags that
    replace those of its fields, or are in the section `flags.METHOD`: the values of these are the
    entries of its field `options`.
    """

    name: str
    config: type
    run: Callable[[Any], Any]
    show: Callable[[Any, Show], Any]
    positional: str = ""
    derived_flags: "Callable[[], Iterable[Flag]]" = tuple


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sub-commands with a first word in common; `text` says of them all what they do.

    `parts` maps the second word to the command.
    """

    name: str
    text: str
    parts: Mapping[str, Command]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Options that every sub-command has."""

    json: bool = False
    """Print the result as JSON, one line, on standard output, and all else on standard error."""
    debug: bool = False
    """Show where an unexpected error comes from (also: ARCHWRIGHT_DEBUG=1)."""


class UsageError(Exception):
    """A command line that cannot be understood; the text is one line."""
