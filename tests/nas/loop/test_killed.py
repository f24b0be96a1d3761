from pathlib import Path

import pytest

from ...engine.killing import kill_often, script

SETTINGS = {
    **{"channels": 8, "cells": 1, "epochs": 12, "batch_size": 32, "limit": 640, "test_limit": 100},
    **{"device": "cpu", "checkpoint_seconds": 0.2},
}


@pytest.mark.slow
def test_a_search_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = script(tmp_path / "run.py", "search", "SearchConfig", SETTINGS)
    wrong = kill_often(path, tmp_path, trials=10, seed=1)
    assert not wrong, "\n".join(wrong)
