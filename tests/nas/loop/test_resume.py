"""Resuming, where a search differs from the contract in tests/test_resume.py."""

from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.folder import RunFolder
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop import run as search_run
from archwright.nas.loop.search import search

from ...engine.helpers import interrupted, tiny_search, traces


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a search leaves that was never interrupted."""
    out = tmp_path_factory.mktemp("straight") / "out"
    search(tiny_search(out))
    return traces(out)


@pytest.mark.parametrize("place", ["save_derived_network", "graph_cost"])
def test_a_search_stopped_at_the_very_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, Any], place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(search_run, place, lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(tiny_search(tmp_path / "out"))
    search(tiny_search(tmp_path / "out", resume=True))
    assert traces(tmp_path / "out") == straight


def test_another_seed_is_another_search(tmp_path: Path, straight: dict[str, Any]) -> None:
    search(tiny_search(tmp_path / "out", seed=1))
    assert traces(tmp_path / "out")["weights.safetensors"] != straight["weights.safetensors"]


def test_seconds_go_on_over_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_search(tmp_path / "out", checkpoint_seconds=0)
    interrupted(monkeypatch, Bilevel, "step", 7, lambda: search(config))
    result = search(tiny_search(tmp_path / "out", resume=True))
    records = RunFolder(config.out).log.records()
    seconds = [r["seconds"] for r in records if r["event"] == "epoch"]
    assert 0 < seconds[0] < seconds[1] < seconds[2] < result.seconds
