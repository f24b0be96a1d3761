"""What the images of a run are is said before it starts, written down, and said once."""

from pathlib import Path

import pytest

from archwright import data
from archwright.engine.options import RunOptions
from archwright.engine.progress import say
from archwright.engine.setup import load_images


def test_images_are_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say.cache_clear()
    options = RunOptions(data="digits", limit=100, out=tmp_path)
    images = load_images(options)
    load_images(options)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == data.summary(images) + "\n"
    assert captured.err.startswith("scikit-learn digits: 10 classes (0, 1, ")


def test_other_processes_are_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say.cache_clear()
    monkeypatch.setenv("LOCAL_RANK", "1")
    say("something")
    assert capsys.readouterr().err == ""
    say.cache_clear()
