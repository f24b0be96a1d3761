"""One process at a time writes a run folder; what a dead one left is in nobody's way."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archwright.bench.engine.results import adding_to
from archwright.engine.runs import lock
from archwright.engine.runs.folder import hold
from archwright.engine.runs.lock import locked
from archwright.errors import RunError
from archwright.nas.loop.search import search
from archwright.training.run import train

from .helpers import files, tiny_search, tiny_training

HOLD = """
import sys, time
from pathlib import Path
from archwright.engine.runs.folder import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holding(out: Path) -> Generator[subprocess.Popen[bytes]]:
    """Another process that holds the folder `out`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def refused(process: int) -> str:
    return (
        f"is in use by process {process} on {socket.gethostname()}: wait until it ends, or stop it"
    )


def test_a_run_that_another_process_writes_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with holding(out) as other:
        before = files(out)
        with pytest.raises(RunError, match=refused(other.pid)):
            search(tiny_search(out))
        with pytest.raises(RunError, match=refused(other.pid)):
            train(tiny_training(out, resume=True))
        assert files(out) == before == [".lock"]


def test_what_a_killed_process_held_is_taken_over(tmp_path: Path) -> None:
    with holding(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == other.pid
    with hold(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    assert files(tmp_path) == []


@pytest.mark.parametrize("supernets", [1, 2])
def test_a_search_holds_its_folder_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supernets: int
) -> None:
    seen: list[str] = []

    def look(*rest: object) -> None:
        with pytest.raises(RunError, match=refused(os.getpid())), hold(tmp_path / "run"):
            pass
        seen.append("held")

    monkeypatch.setattr("archwright.nas.loop.run.SearchRun._log_epoch", look)
    search(tiny_search(tmp_path / "run", epochs=1, supernets=supernets))
    assert seen == ["held"] * supernets
    assert not [name for name in files(tmp_path) if name.endswith(".lock")]


def test_an_error_gives_the_folder_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(tmp_path):
        raise ZeroDivisionError
    assert files(tmp_path) == []


def test_a_finished_run_is_returned_while_it_is_held(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = train(tiny_training(out, epochs=1))
    with holding(out):
        assert train(tiny_training(out, epochs=1, resume=True)) == done


def test_a_finished_run_in_a_folder_that_is_not_writable_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    done = train(tiny_training(out, epochs=1))

    def refuse(*rest: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert train(tiny_training(out, epochs=1, resume=True)) == done


def test_a_folder_that_cannot_be_locked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*rest: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"), hold(tmp_path):
        pass
    with (
        pytest.raises(RunError, match=r"cannot write .*lock: Permission denied"),
        adding_to(tmp_path / "results.json"),
    ):
        pass


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match=r"not empty and holds no run"), hold(tmp_path):
        pass
    assert files(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("left", ["", "no JSON", '{"pid": "x", "host": "y"}', "[]"])
def test_a_lock_that_names_nobody(tmp_path: Path, left: str) -> None:
    file = tmp_path / ".lock"
    file.write_text(left)
    with locked(file, tmp_path):
        assert json.loads(file.read_text())["pid"] == os.getpid()
        file.write_text(left)
        with (
            pytest.raises(RunError, match=r"is in use by another process: wait"),
            locked(file, tmp_path),
        ):
            pass


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    with locked(file, tmp_path):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with locked(file, tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class TestWithoutLocksOfTheFileSystem:
    @pytest.fixture(autouse=True)
    def lockless(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unsupported(handle: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", unsupported)

    def test_the_process_is_looked_for(self, tmp_path: Path) -> None:
        file = tmp_path / ".lock"
        with locked(file, tmp_path):
            with pytest.raises(RunError, match=refused(os.getpid())), locked(file, tmp_path):
                pass
            assert file.exists()
        assert not file.exists()

    def test_a_dead_one_is_in_nobodys_way(self, tmp_path: Path) -> None:
        file = tmp_path / ".lock"
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        for pid in (gone.pid, 2**70):
            file.write_text(json.dumps({"pid": pid, "host": socket.gethostname()}))
            with locked(file, tmp_path):
                pass

    def test_one_of_another_machine_may_be_alive(self, tmp_path: Path) -> None:
        file = tmp_path / ".lock"
        file.write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
        message = r"by process 1 on elsewhere: .* \(if there is none any more, delete .*\.lock\)"
        with pytest.raises(RunError, match=message), locked(file, tmp_path):
            pass

    def test_another_fault_is_no_lack_of_locks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(handle: int, operation: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(fcntl, "flock", broken)
        with pytest.raises(OSError, match="Input/output"), locked(tmp_path / ".lock", tmp_path):
            pass


def test_results_are_added_to_one_process_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("0")

    def add() -> None:
        for _ in range(20):
            with adding_to(path):
                path.write_text(str(int(path.read_text()) + 1))

    adders = [threading.Thread(target=add) for _ in range(3)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    assert path.read_text() == "60"
    assert files(tmp_path) == ["results.json"]


def test_results_that_another_process_adds_to_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archwright.bench.engine.results._PATIENCE_S", 0.1)
    with (
        adding_to(tmp_path / "a.json"),
        pytest.raises(RunError, match=r"a\.json is in use by process"),
        adding_to(tmp_path / "a.json"),
    ):
        pass
    assert lock._handles == set()
