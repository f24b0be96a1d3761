"""`archwright export` and `evaluate`: a line for machines, a table for people."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

DATA = ("--data", "digits", "--limit", 128, "--test-limit", 64, "--batch-size", 32)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training."""
    from archwright.cli import main

    out = tmp_path_factory.mktemp("cli") / "run"
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    size = ("--channels", 4, "--cells", 1, "--epochs", 1, "--auxiliary", 0)
    words = ("--architecture", text, *DATA, *size)
    assert main(["train", *map(str, words), "--device", "cpu", "--out", str(out)]) == 0
    return out


def test_export_prints_json(call, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    done = call("export", run, "--out", file, "--repeats", 5, "--json")
    assert done.code == 0
    assert done.out.count("\n") == 1
    result = json.loads(done.out)
    assert {"file", "format", "latency_ms", "latency_spread_ms", "threads", "runtime"} <= set(
        result
    )
    assert result["file"] == str(file)
    assert result["report"] == str(run / "report.html")
    assert "Exported" in (run / "report.html").read_text()
    assert f"exported: {file}" in done.err


def test_export_shows_int8_beside_float32(call, run: Path, tmp_path: Path) -> None:
    words = ("--repeats", 5, "--weights", "int8", "--calibration", 32)
    done = call("export", run, "--out", tmp_path / "a.onnx", *words)
    assert done.code == 0
    rows = [
        line.split() for line in done.out.splitlines() if line.startswith((" float32", " int8"))
    ]
    assert [row[0] for row in rows] == ["int8", "float32"]
    assert rows[0][1] == rows[1][1]
    assert "one image in one thread: median of 5, spread " in done.out


def test_evaluate_agrees_with_the_training(call, run: Path, tmp_path: Path) -> None:
    done = call("evaluate", run, "--device", "cpu", "--json")
    assert (done.code, done.out.count("\n")) == (0, 1)
    result = json.loads(done.out)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (top1,) = (record["top1"] for record in log if record["event"] == "result")
    assert (result["top1"], result["images"], result["kind"]) == (top1, 64, "train")
    shown = call("evaluate", run, "--device", "cpu").out
    assert shown.startswith("train, float32, on scikit-learn digits: |nor_conv_3x3~0|+")
    (row,) = [line for line in shown.splitlines() if str(run) in line]
    assert row.split()[1] == f"{top1:.2f}"


@pytest.mark.parametrize(
    ("words", "line", "code"),
    [
        (("--format", "onxx"), "--format knows no 'onxx': did you mean 'onnx'? give onnx or ", 2),
        (("--out", "a.pt"), "--out a.pt must end in .onnx, as files of --format onnx do", 2),
        (("--format", "torch"), "must end in .pt2, as files of --format torch do", 2),
        ((), "no run and no checkpoint at runs/gone: give the folder of a run", 1),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    call, tmp_path: Path, words: tuple[str, ...], line: str, code: int
) -> None:
    given = words if "--out" in words else ("--out", tmp_path / "a.onnx", *words)
    done = call("export", "runs/gone", *given)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("archwright: error: ")
    assert line in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_scored_is_one_line(call, run: Path) -> None:
    done = call("evaluate", run / "config.json")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"archwright: error: {run / 'config.json'} is no checkpoint in a run folder: give the "
        f"folder of a run\n"
    )


@pytest.fixture
def read_only(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The training, in a folder in which nothing can be written any more."""
    make, append = tempfile.mkstemp, Path.open

    def mkstemp(*, dir: Path, **rest: Any) -> tuple[int, str]:
        if dir == run:
            raise PermissionError(13, "Permission denied")
        return make(dir=dir, **rest)

    def opened(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if path.parent == run and mode != "r" and mode != "rb":
            raise PermissionError(13, "Permission denied")
        return append(path, mode, *rest, **named)

    monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
    monkeypatch.setattr(Path, "open", opened)
    return run


def test_a_run_that_cannot_be_written_is_exported(call, read_only: Path, tmp_path: Path) -> None:
    file, log = tmp_path / "a.onnx", (read_only / "log.jsonl").read_bytes()
    done = call("export", read_only, "--out", file, "--repeats", 5)
    assert (done.code, done.err) == (0, "")
    assert file.is_file()
    line = f"not in the report of the run: cannot write {read_only}/log.jsonl: Permission denied"
    assert line in done.out.splitlines()
    assert done.out.splitlines()[-1] == f"exported: {file}"
    assert (read_only / "log.jsonl").read_bytes() == log


def test_a_run_that_cannot_be_written_is_scored_and_shown(
    call, read_only: Path, tmp_path: Path
) -> None:
    assert call("evaluate", read_only, "--device", "cpu").code == 0
    assert call("inspect", "--architecture", read_only).code == 0
    assert call("report", read_only, "--out", tmp_path / "page.html").code == 0
    done = call("report", read_only)
    assert (done.code, done.err) == (
        1,
        "archwright: error: cannot write the page: Permission denied; give another --out\n",
    )


def test_a_finished_run_that_cannot_be_written_is_shown(call, read_only: Path) -> None:
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    size = ("--channels", 4, "--cells", 1, "--epochs", 1, "--auxiliary", 0, "--device", "cpu")
    words = ("--architecture", text, *DATA, *size, "--out", read_only, "--resume")
    done = call("train", *words)
    assert (done.code, done.err) == (0, "")
    last = done.out.splitlines()[-1]
    assert last == (
        f"no report: cannot write to {read_only}: Permission denied (archwright report --out FILE)"
    )
