"""Help of a sub-command, derived from its configuration."""

import inspect
import shutil
import sys
import textwrap
from collections.abc import Iterable

from archwright.cli.command import Command, Group
from archwright.cli.flags import Flag, flags_of

_COLUMN = 29
"""Column in which the texts start; a longer flag stands on a line of its own."""

_UNSET = {
    "limit": "all",
    "test_limit": "all",
    "image_size": "as the data has it",
    "inherit": "fresh weights",
    "space": "none",
    **dict.fromkeys(("latency_device", "latency_table"), "none"),
    **dict.fromkeys(("pareto", "objective", "penalty"), "none"),
    **dict.fromkeys(("watch", "keep_null"), "as the method has it"),
    **dict.fromkeys(("deploy_channels", "deploy_cells"), "the space's"),
    "deploy_image_size": "that of the images",
}
"""Meaning of None if it is not the published setting."""


def program_help(commands: Iterable[Command | Group]) -> str:
    """Return the text of `archwright --help`."""
    rows = [_row(command.name, _summary(command)) for command in commands]
    lines = [
        "usage: archwright [-h] [--version] COMMAND ...",
        "",
        "Neural architecture search where an architecture is a graph.",
        "",
        "commands",
        *rows,
        "",
        "`archwright COMMAND --help` lists the flags of a command.",
    ]
    return "\n".join(lines) + "\n"


def group_help(group: Group) -> str:
    """Return the text of `archwright GROUP --help`."""
    lines = [
        f"usage: archwright {group.name} [-h] NAME ...",
        "",
        *textwrap.wrap(group.text, _width()),
        "",
        "names",
        *(_row(name, _summary(command)) for name, command in group.parts.items()),
        "",
        f"`archwright {group.name} NAME --help` lists the flags.",
    ]
    return "\n".join(lines) + "\n"


def command_help(command: Command) -> str:
    """Return the text of `archwright COMMAND --help`."""
    flags = flags_of(command)
    needed = " ".join(flag.usage for flag in flags if flag.required)
    lines = [f"usage: archwright {command.name} {needed} [flags]".replace("  ", " "), ""]
    lines += textwrap.wrap(_summary(command), _width())
    for section in dict.fromkeys(flag.section for flag in flags):
        rows = [_row(f.usage, f"{f.text} {_hint(f)}") for f in flags if f.section == section]
        lines += ["", section, *rows]
    lines.append(_row("-h, --help", "Show this help."))
    return "\n".join(lines) + "\n"


def _summary(command: Command | Group) -> str:
    if isinstance(command, Group):
        return command.text
    return " ".join((inspect.getdoc(command.config) or "").split("\n\n")[0].split())


def _hint(flag: Flag) -> str:
    """Return the behaviour without the flag, unless its text states it."""
    if flag.required:
        return "(required)"
    if flag.hint:
        return flag.hint
    if flag.default is False or "(else " in flag.text or "by default" in flag.text.lower():
        return ""
    if flag.default is None:
        unset = flag.unset or _UNSET.get(flag.name, "as published")
        return f"(default: {unset})"
    return f"(default: {flag.default if flag.default != () else 'none'})"


def _row(head: str, text: str) -> str:
    wrapped = textwrap.wrap(text, _width() - _COLUMN)
    first = [f"  {head}"] if len(head) > _COLUMN - 4 else []
    padded = [" " * _COLUMN + line for line in wrapped]
    if not first and padded:
        padded[0] = f"  {head}".ljust(_COLUMN) + wrapped[0]
    return "\n".join([*first, *padded])


def _width() -> int:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    return min(max(columns, 60), 100)
