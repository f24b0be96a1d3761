"""A pruning that was cut short ends as one that was not, wherever it was cut."""

from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.log import RunLog
from archwright.pruning.run import prune
from archwright.training.trainer import Trainer

from ..engine.helpers import interrupted, traces
from ..engine.killing import kill_often, script
from .helpers import tiny_pruning

SETTINGS: dict[str, Any] = {"distill": 0.5, "lr": 0.05}


@pytest.fixture(scope="module")
def straight(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a pruning leaves that was never interrupted."""
    out = tmp_path_factory.mktemp("straight") / "out"
    prune(tiny_pruning(trained, out, **SETTINGS))
    return traces(out)


# Steps 0 to 5 learn gates, three an epoch; 6 to 11 fine-tune.
@pytest.mark.parametrize(
    ("owner", "method", "call", "seconds"),
    [
        *((Trainer, "step", step, 0.0) for step in (0, 4, 7)),
        *((Trainer, "step", step, 1e9) for step in (4, 6, 11)),
        *((Checkpointer, "save", save, 1e9) for save in (0, 2, 4)),
        *((RunLog, "write", record, 1e9) for record in (0, 2, 3, 6)),
    ],
)
def test_a_resumed_pruning_ends_as_if_it_had_never_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Path,
    straight: dict[str, Any],
    owner: type,
    method: str,
    call: int,
    seconds: float,
) -> None:
    settings = {**SETTINGS, "checkpoint_seconds": seconds}
    config = tiny_pruning(trained, tmp_path / "out", **settings)
    interrupted(monkeypatch, owner, method, call, lambda: prune(config))
    prune(tiny_pruning(trained, tmp_path / "out", **settings, resume=True))
    assert traces(tmp_path / "out") == straight


def test_a_finished_pruning_is_returned_and_not_touched(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prune(tiny_pruning(trained, tmp_path / "out", score="random", epochs=1))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    monkeypatch.setattr(Trainer, "step", lambda *args: 1 / 0)
    settings: dict[str, Any] = {"score": "random", "epochs": 1, "resume": True}
    assert prune(tiny_pruning(trained, tmp_path / "out", **settings)) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


@pytest.mark.slow
def test_a_pruning_killed_at_any_moment_ends_as_if_it_had_not_been(
    tmp_path: Path, trained: Path
) -> None:
    settings = {
        **{"run": str(trained), "macs": 0.8, "gate_epochs": 3, "epochs": 3, "batch_size": 16},
        **{"calibration": 20, "score": "gate", "device": "cpu", "checkpoint_seconds": 0.05},
    }
    path = script(tmp_path / "run.py", "prune", "PruneConfig", settings)
    given = repr(str(trained))
    path.write_text(path.read_text().replace(given, f"Path({given})"))
    wrong = kill_often(path, tmp_path, trials=8, seed=3)
    assert not wrong, "\n".join(wrong)
