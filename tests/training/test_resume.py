from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.log import RunLog
from archwright.training.run import train
from archwright.training.trainer import Trainer

from ..engine.helpers import interrupted, tiny_training, traces

# Everything that has a state: the average, dropped paths, the auxiliary head, two networks.
SETTINGS: dict[str, Any] = {
    **{"ema": 0.8, "drop_path": 0.3, "auxiliary": 0.4, "against": ("random",)},
    **{"epochs": 2, "lr": 0.1},
}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a training leaves that was never interrupted."""
    out = tmp_path_factory.mktemp("straight") / "out"
    train(tiny_training(out, **SETTINGS))
    return traces(out)


# Steps 0 to 5 are the found network's, three an epoch; 6 to 11 its rival's.
@pytest.mark.parametrize("seconds", [0.0, 1e9])
@pytest.mark.parametrize("step", [1, 3, 5, 6, 7])
def test_a_resumed_training_ends_as_if_it_had_never_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    straight: dict[str, Any],
    step: int,
    seconds: float,
) -> None:
    settings = {**SETTINGS, "checkpoint_seconds": seconds}
    config = tiny_training(tmp_path / "out", **settings)
    interrupted(monkeypatch, Trainer, "step", step, lambda: train(config))
    again: list[int] = []
    original = Trainer.step

    def count(self: Trainer, *args: Any) -> None:
        again.append(1)
        original(self, *args)

    monkeypatch.setattr(Trainer, "step", count)
    train(tiny_training(tmp_path / "out", **settings, resume=True))
    assert traces(tmp_path / "out") == straight
    done = step if seconds == 0 else step - step % 3
    assert len(again) == 12 - done


# Saves: after the two epochs of each network, and after the first network as a whole.
@pytest.mark.parametrize("save", [0, 2, 3])
def test_a_training_stopped_before_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, Any], save: int
) -> None:
    config = tiny_training(tmp_path / "out", **SETTINGS)
    interrupted(monkeypatch, Checkpointer, "save", save, lambda: train(config))
    train(tiny_training(tmp_path / "out", **SETTINGS, resume=True))
    assert traces(tmp_path / "out") == straight


@pytest.mark.parametrize("record", [0, 3, 5])
def test_a_training_stopped_before_a_record_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, Any], record: int
) -> None:
    config = tiny_training(tmp_path / "out", **SETTINGS)
    interrupted(monkeypatch, RunLog, "write", record, lambda: train(config))
    train(tiny_training(tmp_path / "out", **SETTINGS, resume=True))
    assert traces(tmp_path / "out") == straight


def test_a_finished_training_is_returned_and_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(tiny_training(tmp_path / "out", epochs=1))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    monkeypatch.setattr(Trainer, "step", lambda *args: 1 / 0)
    assert train(tiny_training(tmp_path / "out", epochs=1, resume=True)) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before
