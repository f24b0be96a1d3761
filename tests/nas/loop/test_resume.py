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


# Steps are 0 to 8, three an epoch. Saved after each step, or at the end of an epoch alone.
@pytest.mark.parametrize("seconds", [0.0, 1e9])
@pytest.mark.parametrize("step", [0, 1, 3, 5, 8])
def test_a_resumed_search_ends_as_if_it_had_never_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    straight: dict[str, Any],
    step: int,
    seconds: float,
) -> None:
    config = tiny_search(tmp_path / "out", checkpoint_seconds=seconds)
    interrupted(monkeypatch, Bilevel, "step", step, lambda: search(config))
    again: list[int] = []
    original = Bilevel.step

    def count(self: Bilevel, *args: Any) -> None:
        again.append(1)
        original(self, *args)

    monkeypatch.setattr(Bilevel, "step", count)
    search(tiny_search(tmp_path / "out", checkpoint_seconds=seconds, resume=True))
    assert traces(tmp_path / "out") == straight
    done = step if seconds == 0 else step - step % 3
    assert len(again) == 9 - done


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


def test_a_search_stopped_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, Any]
) -> None:
    for _ in range(4):
        config = tiny_search(tmp_path / "out", checkpoint_seconds=0, resume=True)
        interrupted(monkeypatch, Bilevel, "step", 2, lambda config=config: search(config))
    search(tiny_search(tmp_path / "out", resume=True))
    assert traces(tmp_path / "out") == straight


def test_a_finished_search_is_returned_and_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search(tiny_search(tmp_path / "out"))
    folder = RunFolder(tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("*")}
    monkeypatch.setattr(Bilevel, "step", lambda *args: 1 / 0)
    assert search(tiny_search(tmp_path / "out", resume=True)) == first
    assert {p: p.stat().st_mtime_ns for p in folder.path.rglob("*")} == before


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
