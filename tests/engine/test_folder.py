import json
from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.folder import open_run, read_config, say_changes
from archwright.errors import RunError
from archwright.io.files import write_atomic, write_text

from .helpers import files

SETTINGS: dict[str, Any] = {"seed": 1, "alpha_betas": (0.5, 0.999), "workers": 0}


def test_a_new_run_writes_its_settings_and_nothing_else(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "a" / "b", "search", SETTINGS, resume=False)
    assert files(tmp_path) == ["a/b/config.json"]
    assert read_config(folder.path) == {
        **{"schema": 1, "kind": "search"},
        **{"seed": 1, "alpha_betas": [0.5, 0.999], "workers": 0},
    }
    assert folder.result() is None


def test_a_missing_run_is_started_by_resume(tmp_path: Path) -> None:
    open_run(tmp_path / "a", "search", SETTINGS, resume=True)
    assert files(tmp_path) == ["a/config.json"]


def test_an_existing_run_is_left_alone(tmp_path: Path) -> None:
    open_run(tmp_path, "search", SETTINGS, resume=False)
    with pytest.raises(RunError, match=r"holds a run already: add --resume"):
        open_run(tmp_path, "search", SETTINGS, resume=False)


def test_resume_takes_the_same_settings_and_those_that_do_not_matter(tmp_path: Path) -> None:
    open_run(tmp_path, "search", SETTINGS, resume=False)
    before = (tmp_path / "config.json").read_bytes()
    open_run(tmp_path, "search", {**SETTINGS, "workers": 4}, resume=True)
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        ("search", {"seed": 2}, "was run with seed=1, not 2"),
        ("search", {"alpha_betas": (0.9, 0.999)}, "was run with alpha_betas="),
        ("search", {"more": 1}, "was run with more=None, not 1"),
        ("train", {"seed": 2}, "is the run of a search, not of a train: give another --out"),
    ],
)
def test_resume_with_other_settings_names_the_field(
    tmp_path: Path, kind: str, changed: dict[str, Any], message: str
) -> None:
    open_run(tmp_path, "search", SETTINGS, resume=False)
    with pytest.raises(RunError, match=message):
        open_run(tmp_path, kind, {**SETTINGS, **changed}, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match=r"not empty and holds no run"):
        open_run(tmp_path, "search", SETTINGS, resume=resume)
    assert files(tmp_path) == ["thesis.tex"]


def test_a_folder_left_before_its_settings_were_written_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / ".config.json.x.part").write_text("{")
    open_run(tmp_path, "search", SETTINGS, resume=True)
    assert read_config(tmp_path)["seed"] == 1


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError, match=r"is a file: give another --out"):
        open_run(tmp_path / "out", "search", SETTINGS, resume=False)
    with pytest.raises(RunError, match=r"cannot write to .*: Not a directory"):
        open_run(tmp_path / "out" / "below", "search", SETTINGS, resume=False)


def test_a_folder_that_cannot_be_listed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"):
        open_run(tmp_path, "search", SETTINGS, resume=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"schema": 1', "damaged: it is no JSON"),
        (b"\xff\xfe", "damaged: it is no JSON"),
        (b"[]", "of another version: this one reads schema 1"),
        (b'{"schema": 2}', "of another version: this one reads schema 1"),
        (
            b'{"schema": 1, "kind": 3}',
            r"config\.json is damaged: kind: expected str, got int: restore",
        ),
        (
            b'{"schema": 1, "cells": "5"}',
            "is damaged: cells: expected int, got str: restore the file",
        ),
        (
            b'{"schema": 1, "cells": true}',
            "is damaged: cells: expected int, got bool: restore the file",
        ),
        (
            b'{"schema": 1, "mean": [0, "a"]}',
            r"is damaged: mean\[1\]: expected float, got str: restore the file",
        ),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_config(tmp_path)
    with pytest.raises(RunError, match=message):
        open_run(tmp_path, "search", SETTINGS, resume=True)


def test_a_setting_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"schema": 1, "cells": null, "mean": [0]}')
    settings = read_config(tmp_path)
    assert (settings.get("cells"), settings["mean"]) == (None, [0])
    for name in ("cells", "space"):
        with pytest.raises(
            RunError, match=rf"config\.json does not say its {name}: make the run again$"
        ):
            _ = settings[name]


def test_no_settings(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run folder: it has no config.json"):
        read_config(tmp_path)


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, fail)
    assert path.read_text() == "old"
    assert files(tmp_path) == ["file"]


def test_settings_are_json(tmp_path: Path) -> None:
    open_run(tmp_path, "search", SETTINGS, resume=False)
    assert json.loads((tmp_path / "config.json").read_text())["kind"] == "search"


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (
            {"device": "cpu", "threads": 2, "torch": "2.13"},
            "was begun with threads 1, and goes on with threads 2: it will end in other bytes",
        ),
        (
            {"device": "cuda", "torch": "2.14"},
            "was begun with device cpu, threads 1, torch 2.13, and goes on with device cuda, "
            "threads not fixed, torch 2.14: it will end",
        ),
        ({"device": "cpu", "threads": 1, "torch": "2.13"}, ""),
    ],
)
def test_what_changes_the_last_bits_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], now: dict[str, Any], line: str
) -> None:
    begun = {**SETTINGS, "computed_with": {"device": "cpu", "threads": 1, "torch": "2.13"}}
    say_changes(open_run(tmp_path, "search", begun, resume=False), begun)
    wanted = {**SETTINGS, "computed_with": now}
    folder = open_run(tmp_path, "search", wanted, resume=True)
    assert capsys.readouterr().err == ""
    say_changes(folder, wanted)
    said = capsys.readouterr().err
    assert (line in said) if line else said == ""
    assert said.count("\n") == bool(line)
    folder.log.write("result")
    say_changes(folder, wanted)  # nothing more is computed
    assert capsys.readouterr().err == ""
