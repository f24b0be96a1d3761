"""Two processes over gloo on the CPU, through a script as a user would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archwright.engine.runs.log import RunLog
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop import run as search_run
from archwright.nas.loop.search import search

from ...engine.helpers import CELL, files, tiny_search, tiny_training, traces

pytestmark = pytest.mark.slow

SCRIPT = """
import json, os, sys
from pathlib import Path
import torch
from archwright.errors import ArchwrightError
from archwright.nas.loop import run as module
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.config import SearchConfig
from archwright.training.config import TrainConfig
from archwright.training.run import train

torch.set_num_threads(1)
folder, settings, training = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
bad_rank = int(os.environ.get("BAD_RANK", "-1"))
seen = []
step, epoch = Bilevel.step, module.SearchRun._log_epoch

def bad_step(self, weights, alpha, progress):
    if self.fabric.global_rank == bad_rank and progress.fraction > 0.5:
        weights = (weights[0] * float("nan"), weights[1])
    step(self, weights, alpha, progress)

def log_epoch(self, bilevel, *rest):
    seen.append(bilevel.alpha.candidates.detach().clone())
    epoch(self, bilevel, *rest)

Bilevel.step, module.SearchRun._log_epoch = bad_step, log_epoch
try:
    found = module.search_single(SearchConfig.from_settings(out=folder / "search", **settings))
    made = train(TrainConfig(out=folder / "train", **training)) if training else None
except ArchwrightError as error:
    print(f"rank {os.environ.get('LOCAL_RANK', '0')}: {error}", file=sys.stderr)
    sys.exit(1)
rank = os.environ.get("LOCAL_RANK", "0")
torch.save(
    {
        "alpha": seen,
        "architecture": str(found.architecture),
        "accuracy": found.accuracy,
        "rows": [(row.score, row.best) for row in made.rows] if made else [],
    },
    folder / f"rank{rank}.pt",
)
"""

PLAIN_SETTINGS: dict[str, Any] = {
    **{"epochs": 2, "batch_size": 16, "limit": 96, "test_limit": 39, "device": "cpu"},
    **{"alpha_lr": 0.05, "lr": 0.1},
}


def launch(
    folder: Path, settings: dict[str, Any], training: dict[str, Any] | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    script = folder / "run.py"
    script.write_text(SCRIPT)
    names = ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    command = [sys.executable, str(script), str(folder), json.dumps(settings)]
    return subprocess.run(
        [*command, json.dumps(training)],
        env={**environment, "OMP_NUM_THREADS": "1", **more},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def settings_of(config: Any) -> dict[str, Any]:
    left_out = ("out", "resume", "data_root")
    return {k: v for k, v in config.settings().items() if v is not None and k not in left_out}


def test_processes_agree_and_a_training_can_follow(tmp_path: Path) -> None:
    tiny = settings_of(tiny_search(tmp_path, devices=2, alpha_lr=0.05, test_limit=257))
    training = settings_of(
        tiny_training(tmp_path, devices=2, ema=0.8, drop_path=0.3, against=("random",))
    )
    done = launch(tmp_path / "a", tiny, training)
    assert done.returncode == 0, done.stderr
    ranks = [torch.load(tmp_path / "a" / f"rank{rank}.pt") for rank in (0, 1)]
    assert len(ranks[0]["alpha"]) == 3
    for one, other in zip(ranks[0]["alpha"], ranks[1]["alpha"], strict=True):
        assert torch.equal(one, other)
    for what in ("architecture", "accuracy", "rows"):
        assert ranks[0][what] == ranks[1][what]
    # the same again, and as a resumed run
    again = launch(tmp_path / "b", tiny, training)
    assert again.returncode == 0, again.stderr
    for kind in ("search", "train"):
        assert traces(tmp_path / "a" / kind) == traces(tmp_path / "b" / kind)
    resumed = launch(tmp_path / "a", {**tiny, "resume": True}, {**training, "resume": True})
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.parametrize("method", ["darts", "darts-2nd"])
def test_two_processes_search_as_one_does(tmp_path: Path, plain: str, method: str) -> None:
    settings = {**PLAIN_SETTINGS, "space": plain, "method": method}
    done = launch(tmp_path / "two", {**settings, "devices": 2})
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / "two" / "rank0.pt")
    seen: list[Tensor] = []
    original = search_run.SearchRun._log_epoch

    def log_epoch(self: Any, bilevel: Bilevel, *rest: Any) -> None:
        seen.append(bilevel.alpha.candidates.detach().clone())
        original(self, bilevel, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_run.SearchRun, "_log_epoch", log_epoch)
        one = search(tiny_search(tmp_path / "one", **settings, channels=4, cells=1))
    for alpha, expected in zip(two["alpha"], seen, strict=True):
        torch.testing.assert_close(alpha, expected, rtol=1e-3, atol=1e-5)
    assert seen[-1].std() > 0.01  # they have moved
    assert two["architecture"] == str(one.architecture)
    assert two["accuracy"] == pytest.approx(one.accuracy)
    logs = [RunLog(tmp_path / n / "log.jsonl") for n in ("two/search", "one")]
    pairs = zip(*(log.records()[1:3] for log in logs), strict=True)
    for left, right in pairs:
        for name in ("train_loss", "train_top1", "valid_loss", "valid_top1"):
            assert left[name] == pytest.approx(right[name], rel=1e-4)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_process_that_diverges_stops_all(tmp_path: Path, rank: str) -> None:
    tiny = settings_of(tiny_search(tmp_path, devices=2))
    done = launch(tmp_path / "a", tiny, BAD_RANK=rank)
    assert done.returncode != 0
    assert "rank 0: the loss or its gradient is not finite in epoch 2, step 3" in done.stderr
    assert "Traceback" not in done.stderr
    assert files(tmp_path / "a" / "search") == ["checkpoints/last.pt", "config.json", "log.jsonl"]
    done = launch(tmp_path / "a", {**tiny, "resume": True})
    assert done.returncode == 0, done.stderr
    done = launch(tmp_path / "straight", tiny)
    assert traces(tmp_path / "a" / "search") == traces(tmp_path / "straight" / "search")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 15}, "a batch of 15 does not divide over 2 processes"),
        ({"out_taken": True}, "is not empty and holds no run"),
    ],
)
def test_what_cannot_run_is_one_line_of_one_process(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    tiny = settings_of(tiny_search(tmp_path, devices=2))
    if changed.pop("out_taken", False):
        (tmp_path / "a" / "search").mkdir(parents=True)
        (tmp_path / "a" / "search" / "thesis.tex").write_text("")
    done = launch(tmp_path / "a", {**tiny, **changed})
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert files(tmp_path / "a" / "search") in ([], ["thesis.tex"])


def test_a_training_of_two_processes_learns(tmp_path: Path) -> None:
    tiny = settings_of(tiny_search(tmp_path, devices=2, epochs=1))
    training = settings_of(
        tiny_training(
            tmp_path,
            **{"devices": 2, "channels": 12, "epochs": 30, "limit": 64, "lr": 0.1},
            **{"cutout": 0, "drop_path": 0.0, "auxiliary": 0.0, "architecture": CELL},
        )
    )
    done = launch(tmp_path / "a", tiny, training)
    assert done.returncode == 0, done.stderr
    last = RunLog(tmp_path / "a" / "train" / "log.jsonl").last("epoch")
    assert last is not None
    assert last["train_top1"] > 80
