"""However a command ends, the user sees one line: no traceback unless it is asked for."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from archwright.cli.command import Command, UsageError
from archwright.cli.commands.report import ReportConfig
from archwright.cli.commands.search import command as search_command
from archwright.cli.console import Show
from archwright.errors import DataError, RunError

NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
MEMORY = "archwright: error: out of memory: lower --batch-size, --channels or --cells\n"


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch):
    """Makes a command raise."""

    def replace(name: str, error: BaseException) -> None:
        def run(config: object) -> None:
            raise error

        module = f"archwright.cli.commands.{name}"
        config = ReportConfig if name == "report" else search_command.config
        positional = "runs" if name == "report" else ""
        new = Command(
            name=name, config=config, run=run, show=lambda a, b: {}, positional=positional
        )
        monkeypatch.setattr(f"{module}.command", new)

    return replace


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 4000000000000 bytes. Error code 12"
        ),
    ],
)
def test_too_little_memory_names_what_to_lower(call, fail, error: Exception) -> None:
    fail("search", error)
    done = call("search", "--out", "x")
    assert (done.code, done.err) == (1, MEMORY)


def test_what_the_allocator_really_raises(call, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(config: object) -> None:
        torch.empty(2**52)

    monkeypatch.setattr("archwright.nas.loop.search.search", search)
    assert call("search", "--out", "x").err == MEMORY


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        (
            "search",
            ("--out", "x"),
            "interrupted: the same command with --resume goes on from the last checkpoint",
        ),
        ("report", ("x",), "interrupted"),
    ],
)
def test_an_interrupt_says_how_to_go_on(call, fail, name: str, words, line: str) -> None:
    fail(name, KeyboardInterrupt())
    done = call(name, *words)
    assert (done.code, done.err) == (130, f"archwright: error: {line}\n")


def test_an_unexpected_error_is_one_line(call, fail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHWRIGHT_DEBUG", raising=False)
    fail("search", KeyError("first\nsecond"))
    done = call("search", "--out", "x")
    assert done.code == 1
    assert done.err == (
        r"archwright: error: unexpected KeyError: 'first\nsecond'; run again with "
        "ARCHWRIGHT_DEBUG=1 to see where it comes from\n"
    )


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_debugging_shows_the_traceback(
    call, fail, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("ARCHWRIGHT_DEBUG", "1" if way == "variable" else "0")
    fail("search", ValueError("odd"))
    done = call("search", "--out", "x", *(["--debug"] if way == "flag" else []))
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.endswith("archwright: error: unexpected ValueError: odd\n")


def test_an_error_of_several_lines_becomes_one(call, fail) -> None:
    fail("search", RunError("first\n  second"))
    assert call("search", "--out", "x").err == "archwright: error: first second\n"


def test_an_error_of_the_system_names_the_file(call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("inspect", "--architecture", tmp_path / "file" / "architecture.json")
    assert done.code == 1
    assert done.err.count("\n") == 1


def test_a_file_that_cannot_be_written(call, fail) -> None:
    fail("report", PermissionError(13, "Permission denied", "/page.html"))
    done = call("report", "x")
    assert (done.code, done.err) == (1, "archwright: error: Permission denied: /page.html\n")


def test_only_the_first_of_several_processes_speaks(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    done = call("lookup", NONE, "--json")
    assert (done.code, done.out, done.err) == (0, "", "")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert json.loads(call("lookup", NONE, "--json").out)["rank"] > 1


@pytest.mark.parametrize(
    ("error", "code"), [(RunError("taken"), 1), (UsageError("no such flag"), 2)]
)
def test_what_all_processes_meet_one_says(
    call, fail, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    fail("search", error)
    monkeypatch.setenv("LOCAL_RANK", "1")
    done = call("search", "--out", "x")
    assert (done.code, done.out, done.err) == (code, "", "")
    monkeypatch.setenv("LOCAL_RANK", "0")
    done = call("search", "--out", "x")
    assert (done.code, done.err) == (code, f"archwright: error: {error}\n")


@pytest.mark.parametrize("error", [DataError("a.png is not a readable image"), MemoryError()])
def test_what_one_process_meets_alone_it_says(
    call, fail, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail("search", error)
    monkeypatch.setenv("LOCAL_RANK", "1")
    done = call("search", "--out", "x")
    assert done.code == 1
    assert done.err.count("\n") == 1


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    code = "import sys; from archwright.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "lookup", NONE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--version"], 0, "archwright "),
        (["serch"], 2, "archwright: error: unknown command 'serch'"),
    ],
)
def test_the_package_runs_as_a_module(words: list[str], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archwright", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert (done.stdout + done.stderr).startswith(said)


def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    # a parent that runs in the background hands on that interrupts are ignored
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from archwright.cli import main; sys.exit(main())"
    )
    words = ["search", "--out", str(tmp_path / "run"), "--epochs", "1000", "--device", "cpu"]
    words += ["--channels", "4", "--cells", "1", "--batch-size", "32"]
    words += ["--limit", "64", "--test-limit", "32"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("scikit-learn digits: 10 classes (0, 1, ")
    for epoch in (1, 2):  # the first one's checkpoint is there when the second one ends
        assert process.stderr.readline().startswith(f"epoch {epoch}/1000: ")
    process.send_signal(signal.SIGINT)
    *epochs, last = process.stderr.read().splitlines()
    process.stderr.close()
    assert process.wait() == 130
    assert last == (
        "archwright: error: "
        "interrupted: the same command with --resume goes on from the last checkpoint"
    )
    assert all(line.startswith("epoch ") for line in epochs)
    assert (tmp_path / "run" / "checkpoints" / "last.pt").is_file()


def test_no_colours_and_no_cuts_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    Show(stream).table(("name", "text"), [("a", "b" * 200)], texts=2)
    Show(stream).line("[bold]c[/bold] " + "d" * 200)
    assert "\x1b" not in stream.getvalue()
    assert "b" * 200 in stream.getvalue()
    assert "[bold]c[/bold] " + "d" * 200 in stream.getvalue()
