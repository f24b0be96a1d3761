"""Entry point: find the sub-command, run it, and turn every error into one line."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module

from archwright._version import __version__
from archwright.cli.command import Command, Group, UsageError
from archwright.cli.console import Show
from archwright.cli.legible import make_legible
from archwright.cli.parse import Parsed, parse
from archwright.cli.usage import command_help, group_help, program_help
from archwright.errors import ArchwrightError, DataError, unknown

COMMANDS = (
    "build",
    "search",
    "train",
    "prune",
    "export",
    "evaluate",
    "inspect",
    "profile",
    "explain",
    "lookup",
    "report",
    "bench",
)
"""Modules of this package that define `command`: a command, or a group of them."""

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")
"""Texts of allocators for missing memory: PyTorch's on the CPU (Linux, Windows), of devices, of
cuBLAS.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line `words` (default: that of the process) and return the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    make_legible(sys.stdout)
    make_legible(sys.stderr)
    debug = "--debug" in words or os.environ.get("ARCHWRIGHT_DEBUG", "0") not in ("", "0")
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _fail(str(error), 2) if _speaks() else 2
    except DataError as error:  # a broken image is met by one process alone
        return _fail(str(error), 1)
    except ArchwrightError as error:  # raised by every process alike
        return _fail(str(error), 1) if _speaks() else 1
    except KeyboardInterrupt:
        return _fail(_interrupted(words), 130) if _speaks() else 130
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(_unforeseen(error, debug), 1)


def _dispatch(words: Sequence[str]) -> int:
    first, rest = (words[0], words[1:]) if words else ("", [])
    if first in ("-h", "--help"):
        print(program_help(map(_load, COMMANDS)), end="")
        return 0
    if first == "--version":
        print(f"archwright {__version__}")
        return 0
    if not first:
        raise UsageError(f"give a command: {', '.join(COMMANDS)}; or --help")
    if first.startswith("-"):
        raise UsageError(f"{first} must stand behind a command: {', '.join(COMMANDS)}")
    if first not in COMMANDS:
        raise UsageError(unknown("command", first, COMMANDS))
    command = _load(first)
    if isinstance(command, Group):
        second, rest = (rest[0], rest[1:]) if rest else ("", [])
        if second in ("-h", "--help"):
            print(group_help(command), end="")
            return 0
        if not second or second.startswith("-"):
            raise UsageError(f"{first} needs a name behind it: {', '.join(command.parts)}")
        if second not in command.parts:
            raise UsageError(unknown(first, second, command.parts))
        command = command.parts[second]
    if "-h" in rest or "--help" in rest:
        print(command_help(command), end="")
        return 0
    return _run(command, parse(command, rest))


def _load(name: str) -> Command | Group:
    return import_module(f"archwright.cli.commands.{name}").command


def _run(command: Command, parsed: Parsed) -> int:
    result = command.run(parsed.config)
    if not _speaks():
        return 0
    as_json = parsed.output.json
    content = command.show(result, Show(sys.stderr if as_json else sys.stdout))
    if as_json:
        print(json.dumps(content, allow_nan=False))
    return 0


def _speaks() -> bool:
    """Return whether this process prints: it is the first, or the only one, of a run."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _fail(message: str, code: int) -> int:
    print(f"archwright: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _interrupted(words: Sequence[str]) -> str:
    if words and words[0] in COMMANDS:
        command = _load(words[0])
        if isinstance(command, Command) and "resume" in {f.name for f in fields(command.config)}:
            return "interrupted: the same command with --resume goes on from the last checkpoint"
    return "interrupted"


def _unforeseen(error: Exception, debug: bool) -> str:
    """Return the line for an error that is not archwright's own."""
    text = str(error)
    short = any(words in text.lower() for words in _NO_MEMORY)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and short):
        return "out of memory: lower --batch-size, --channels or --cells"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    remedy = "" if debug else "; run again with ARCHWRIGHT_DEBUG=1 to see where it comes from"
    return f"unexpected {type(error).__name__}: {text}{remedy}"
