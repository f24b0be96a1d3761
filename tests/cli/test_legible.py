"""Terminals and pipes whose encoding lacks a sign: plain ones stand in, and nothing fails."""

import io
import sys
from pathlib import Path

import pytest

from archwright.cli import main
from archwright.cli.console import Show
from archwright.cli.legible import legible, make_legible

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
TINY = ("--channels", "4", "--cells", "1", "--epochs", "1", "--batch-size", "16", "--device", "cpu")
TINY += ("--limit", "48", "--test-limit", "40")
ENCODINGS = ("ascii", "cp932", "latin-1", "cp1252", "utf-8")


def stream(encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors, write_through=True)


def said(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


def run(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: object) -> tuple[int, str, str]:
    out, err = stream(encoding), stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    code = main([str(word) for word in words])
    return code, said(out), said(err)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--help",), "usage: archwright"),
        (("lookup", CELL), "eyeriss"),
        (("explain", "--space", "nasbench201"), "modules"),
    ],
)
def test_every_table_is_written(
    monkeypatch: pytest.MonkeyPatch, encoding: str, words: tuple[str, ...], expected: str
) -> None:
    code, out, err = run(monkeypatch, encoding, *words)
    assert (code, err) == (0, "")
    assert expected in out
    assert "\\u" not in out


@pytest.mark.parametrize("encoding", ["ascii", "cp932"])
def test_a_run_ends_with_its_table_and_page(
    monkeypatch: pytest.MonkeyPatch, encoding: str, tmp_path: Path
) -> None:
    words = ("train", "--architecture", CELL, *TINY, "--auxiliary", "0", "--out", tmp_path / "run")
    code, out, err = run(monkeypatch, encoding, *words)
    assert code == 0
    cut = legible("\N{HORIZONTAL ELLIPSIS}", stream(encoding))
    assert f"{CELL[:59]}{cut}" in out
    assert out.splitlines()[-1] == f"report: {tmp_path / 'run' / 'report.html'}"
    assert "epoch 1/1: " in err


def test_an_error_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run(monkeypatch, "ascii", "lookup", "|nor_conv_3x3|")
    assert (code, out) == (1, "")
    assert "<here>" in err
    code, out, err = run(monkeypatch, "ascii", "evaluate", "runs/\N{GREEK SMALL LETTER PI}")
    assert (code, out) == (1, "")
    assert "no run and no checkpoint at runs/\\u03c0" in err


def test_a_file_name_that_is_no_text_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = run(monkeypatch, "utf-8", "evaluate", "runs/\udcff")
    assert code == 1
    assert "no run and no checkpoint at runs/\\udcff" in err


def test_columns_stand_below_each_other_without_the_sign_for_cut() -> None:
    plain = stream("ascii")
    Show(plain).table(("text", "n"), [("a" * 9 + "\N{HORIZONTAL ELLIPSIS}", "1"), ("b", "2")])
    lines = [line for line in said(plain).splitlines() if line]
    assert len({len(line) for line in lines}) == 1
    assert "a" * 9 + "..." in said(plain)


def test_what_can_be_encoded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "0\N{MIDDLE DOT}1 \N{EN DASH} \N{HORIZONTAL ELLIPSIS}"
    assert legible(text, stream("utf-8")) == text
    assert legible(text, stream("latin-1")) == "0\N{MIDDLE DOT}1 - ..."
    assert legible(text, io.StringIO()) == text


def test_what_the_user_asks_of_the_stream_stays() -> None:
    asked = stream("ascii", errors="replace")
    make_legible(asked)
    asked.write("\N{EN DASH}")
    assert said(asked) == "?"
    make_legible(None)  # no output at all
