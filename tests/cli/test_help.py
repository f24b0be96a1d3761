"""Help and version: complete, short, quick, and without PyTorch."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import archwright
from archwright.cli.command import Command, Group
from archwright.cli.flags import METHOD, flags_of
from archwright.cli.main import COMMANDS
from archwright.engine.options import choices
from archwright.errors import ConfigError


def commands() -> Iterator[Command]:
    """All of them, also those in groups."""
    for name in COMMANDS:
        found: Command | Group = import_module(f"archwright.cli.commands.{name}").command
        if isinstance(found, Group):
            yield from found.parts.values()
        else:
            yield found


def test_the_version(call) -> None:
    done = call("--version")
    assert (done.code, done.out, done.err) == (0, f"archwright {archwright.__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_program_lists_its_commands(call, flag: str) -> None:
    done = call(flag)
    assert done.code == 0
    assert [
        line.split()[0]
        for line in done.out.splitlines()
        if line.startswith("  ") and line[2] != " "
    ] == list(COMMANDS)


def test_a_group_lists_its_parts(call) -> None:
    done = call("bench", "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: archwright bench [-h] NAME ...\n")
    assert "  supernet                   Measure memory and time" in done.out


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_a_command_says_what_each_flag_is(call, command: Command) -> None:
    done = call(*command.name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"usage: archwright {command.name} ")
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.out
    for flag in flags_of(command):
        assert f"  {flag.usage}" in done.out
        assert flag.text, f"{flag.name} has no docstring"
    settable = {f.name for f in fields(command.config) if f.metadata.get("flag", True)}
    assert settable <= {f.name for f in flags_of(command)}


def test_defaults_read_as_what_they_mean(call) -> None:
    text = " ".join(call("search", "--help").out.split())
    assert (
        "--epochs N Epochs over the half of the training images that trains the weights. "
        "(default: as published)" in text
    )
    assert "--seed N Seed of everything random. (default: 0)" in text
    assert "--nesterov, --no-nesterov Use Nesterov's momentum. (default: as published)" in text
    assert "(default: all)" in text
    assert "None" not in text
    assert "--against {hand-made,random} ..." in call("train", "--help").out


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["search", "--help"],
        ["bench", "supernet", "--help"],
        ["train", "--out", "x"],
        ["lookup", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "--json"],
    ],
)
def test_pytorch_is_not_imported(words: list[str]) -> None:
    run = f"import sys; from archwright.cli import main; main({words!r})"
    code = f"{run}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_help_takes_less_than_a_second() -> None:
    code = "from archwright.cli import main; main(['search', '--help'])"
    best = min(_seconds(code) for _ in range(3))
    assert best < 1


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_what_the_parser_checks_the_configuration_checks_too(command: Command) -> None:
    flags = flags_of(command)
    needed = {f.name: Path("x") if f.kind is Path else "x" for f in flags if f.required}
    for flag in flags:
        if flag.section == METHOD:  # see tests/nas/methods/test_contract.py
            continue
        given: dict[str, Any] = {**needed, flag.name: "no-such-word"}
        if flag.kind is Path:
            with pytest.raises(ConfigError, match=r"^--.* must be a pathlib.Path, got 'no-such-w"):
                command.config(**given)
        if choices(flag.kind):
            with pytest.raises(ConfigError, match=r"^unknown .* 'no-such-word': "):
                command.config(**given)
