from pathlib import Path

import pytest

from ..engine.helpers import CELL
from ..engine.killing import kill_often, script

SETTINGS = {
    **{"channels": 8, "cells": 1, "epochs": 6, "batch_size": 32, "limit": 640, "test_limit": 100},
    **{"device": "cpu", "checkpoint_seconds": 0.2, "architecture": CELL, "ema": 0.9},
    "against": ("hand-made", "random"),
}


@pytest.mark.slow
def test_a_training_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = script(tmp_path / "run.py", "train", "TrainConfig", SETTINGS)
    wrong = kill_often(path, tmp_path, trials=10, seed=2)
    assert not wrong, "\n".join(wrong)
