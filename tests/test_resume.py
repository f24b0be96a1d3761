"""One contract of resuming for every long command: a run cut short ends as one that was not.

`search`, `train`, `prune` and `build` are held to it; a new long command is a case here.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import archwright
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.log import RunLog
from archwright.errors import RunError
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.training.trainer import Trainer

from .engine.helpers import interrupted, tiny_search, tiny_training, traces
from .pipeline.helpers import left_behind, tiny_build
from .pruning.helpers import tiny_pruning

Place = tuple[type, str, int]
"""A method, and the call of it (from 0) that does not return."""


def saves(*calls: int) -> list[Place]:
    return [(Checkpointer, "save", call) for call in calls]


def records(*calls: int) -> list[Place]:
    return [(RunLog, "write", call) for call in calls]


def steps(owner: type, *calls: int) -> list[Place]:
    return [(owner, "step", call) for call in calls]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A long command at a tiny size.

    Attributes:
        config: its configuration, given the run folder, a trained network and changes.
        places: where it is cut short.
        owner, total: the class whose steps are counted, and their number; three are an epoch.
        changed: a setting that makes it another run, with its value.
        left: all that it leaves, but times.
        trials: how often it is killed, in a process of its own.
    """

    config: Callable[..., Any]
    places: list[Place]
    owner: type
    total: int
    changed: tuple[str, Any]
    left: Callable[[Path], Any] = traces
    trials: int = 8
    longer: dict[str, Any] = field(default_factory=dict[str, Any])


def trained_config(out: Path, trained: Path, **changes: Any) -> Any:
    # everything that has a state: the average, dropped paths, the auxiliary head, two networks
    state = {"ema": 0.8, "drop_path": 0.3, "auxiliary": 0.4, "against": ("random",)}
    return tiny_training(out, **{**state, "epochs": 2, "lr": 0.1, **changes})


CASES = {
    "search": Case(
        config=lambda out, trained, **changes: tiny_search(out, **changes),
        places=[*steps(Bilevel, 0, 1, 3, 5, 8), *saves(0, 2), *records(0, 2, 4)],
        owner=Bilevel,
        total=9,
        changed=("seed", 1),
        longer={"epochs": 12, "limit": 640, "test_limit": 100, "batch_size": 32, "channels": 8},
    ),
    "train": Case(
        # steps 0 to 5 are the found network's, 6 to 11 its rival's
        config=trained_config,
        places=[*steps(Trainer, 1, 3, 5, 6, 7), *saves(0, 2, 3), *records(0, 3, 5)],
        owner=Trainer,
        total=12,
        changed=("lr", 0.2),
        longer={"epochs": 6, "limit": 640, "test_limit": 100, "batch_size": 32, "channels": 8},
    ),
    "prune": Case(
        # steps 0 to 5 learn gates, 6 to 11 fine-tune
        config=lambda out, trained, **changes: tiny_pruning(
            trained, out, **{"distill": 0.5, "lr": 0.05, **changes}
        ),
        places=[*steps(Trainer, 0, 4, 7, 11), *saves(0, 2, 4), *records(0, 2, 3, 6)],
        owner=Trainer,
        total=12,
        changed=("lr", 0.1),
        longer={"epochs": 3, "gate_epochs": 3},
    ),
    "build": Case(
        config=lambda out, trained, **changes: tiny_build(
            out, **{"max_macs": 1e7, "max_params": 1e6, **changes}
        ),
        places=[*steps(Bilevel, 1), *steps(Trainer, 2, 5), *records(1)],
        owner=Trainer,
        total=0,
        changed=("seed", 1),
        left=left_behind,
        longer={"search_epochs": 8, "epochs": 4, "finetune_epochs": 4, "limit": 640},
    ),
}

# Saved after each step, or at the end of an epoch alone, which only matters where steps are cut.
CUTS = [
    pytest.param(name, (owner, method, call), seconds, id=f"{name}-{method}-{call}-{seconds:g}")
    for name, case in CASES.items()
    for owner, method, call in case.places
    for seconds in ((0.0, 1e9) if method == "step" else (1e9,))
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the network that is pruned."""
    out = tmp_path_factory.mktemp("resume") / "trained"
    archwright.train(tiny_training(out, ema=0.5, auxiliary=0.4, lr=0.1, epochs=2))
    return out


@pytest.fixture(scope="module")
def straight(
    trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, Any]]:
    """Return what a command leaves that was never interrupted."""
    held: dict[str, Any] = {}

    def left(name: str) -> dict[str, Any]:
        if name not in held:
            out = tmp_path_factory.mktemp("straight") / "out"
            run(name, CASES[name].config(out, trained))
            held[name] = CASES[name].left(out)
        return held[name]

    return left


def run(name: str, config: Any) -> Any:
    return getattr(archwright, name)(config)


@pytest.mark.parametrize(("name", "place", "seconds"), CUTS)
def test_a_run_that_was_cut_short_ends_as_if_it_had_not_been(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Path,
    straight: Callable[[str], dict[str, Any]],
    name: str,
    place: Place,
    seconds: float,
) -> None:
    owner, method, call = place
    case, expected = CASES[name], straight(name)

    def config(**changes: Any) -> Any:
        return case.config(tmp_path / "out", trained, checkpoint_seconds=seconds, **changes)

    interrupted(monkeypatch, owner, method, call, lambda: run(name, config()))
    again: list[int] = []
    original: Callable[..., Any] = case.owner.step

    def count(self: Any, *args: Any) -> Any:
        again.append(1)
        return original(self, *args)

    monkeypatch.setattr(case.owner, "step", count)
    run(name, config(resume=True))
    assert case.left(tmp_path / "out") == expected
    if case.total and (owner, method) == (case.owner, "step"):
        done = call if seconds == 0 else call - call % 3
        assert len(again) == case.total - done


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_cut_short_again_and_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Path,
    straight: Callable[[str], dict[str, Any]],
    name: str,
) -> None:
    case, expected = CASES[name], straight(name)
    for _ in range(2 if name == "build" else 4):
        config = case.config(tmp_path / "out", trained, checkpoint_seconds=0, resume=True)
        interrupted(monkeypatch, case.owner, "step", 2, lambda config=config: run(name, config))
    run(name, case.config(tmp_path / "out", trained, resume=True))
    assert case.left(tmp_path / "out") == expected


@pytest.mark.parametrize("name", CASES)
def test_a_finished_run_is_returned_and_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path, name: str
) -> None:
    case, out = CASES[name], tmp_path / "out"
    first = run(name, case.config(out, trained))
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    monkeypatch.setattr(Bilevel, "step", lambda *args: 1 / 0)
    monkeypatch.setattr(Trainer, "step", lambda *args: 1 / 0)
    assert run(name, case.config(out, trained, resume=True)) == first
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before

    content = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    setting, value = case.changed
    with pytest.raises(RunError, match=rf"was run with {setting}=.*resume with the same settings"):
        run(name, case.config(out, trained, resume=True, **{setting: value}))
    with pytest.raises(RunError, match="holds a run already"):
        run(name, case.config(out, trained))
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == content


SCRIPT = """
import pickle, sys
import torch, archwright

torch.set_num_threads(1)
with open(sys.argv[1], "rb") as file:
    name, config = pickle.load(file)
getattr(archwright, name)(config)
"""


def in_process(name: str, config: Any, folder: Path, kill_after: float | None = None) -> bool:
    """Run a command in a process of its own; return whether it ended before it was killed."""
    import pickle

    (folder / "config.pkl").write_bytes(pickle.dumps((name, config)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(folder / "config.pkl")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    assert process.returncode == 0, errors.decode()
    return True


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(
    tmp_path: Path, trained: Path, name: str
) -> None:
    case, generator = CASES[name], random.Random(5)
    more = {**case.longer, "checkpoint_seconds": 0.1}
    began = time.monotonic()
    in_process(name, case.config(tmp_path / "straight", trained, **more), tmp_path)
    whole = time.monotonic() - began
    expected, wrong = case.left(tmp_path / "straight"), list[str]()
    for trial in range(case.trials):
        config = case.config(tmp_path / f"trial{trial}", trained, **more, resume=True)
        moments = [whole * (trial + generator.random()) / case.trials]  # from start to end
        if trial % 3 == 0:
            moments.append(whole * generator.random())
        ended = [in_process(name, config, tmp_path, moment) for moment in moments]
        in_process(name, config, tmp_path)
        if case.left(tmp_path / f"trial{trial}") != expected:
            wrong.append(f"killed at {moments} of {whole:.2f} s; ended before: {ended}")
    assert not wrong, "\n".join(wrong)
