"""Builds in processes of their own that are killed."""

import random
import time
from pathlib import Path

import pytest

from ..engine.killing import run
from .helpers import left_behind

SCRIPT = """
import sys
from pathlib import Path
import torch
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.run import build

torch.set_num_threads(1)
settings = dict(preset="tiny", channels=8, search_channels=8, search_epochs=8, epochs=4, limit=640)
settings |= dict(test_limit=100, finetune_epochs=4, macs=0.8, max_macs=1e6, batch_size=32)
settings |= dict(device="cpu", checkpoint_seconds=0.2)
build(BuildConfig(**settings, out=Path(sys.argv[1]), resume=True))
"""


@pytest.mark.slow
def test_a_build_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = tmp_path / "run.py"
    path.write_text(SCRIPT)
    began = time.monotonic()
    run(path, tmp_path / "straight")
    whole = time.monotonic() - began
    expected = left_behind(tmp_path / "straight")
    generator, trials = random.Random(5), 8
    for trial in range(trials):
        out = tmp_path / f"trial{trial}"
        moment = whole * (trial + generator.random()) / trials
        ended = run(path, out, moment)
        run(path, out)
        assert left_behind(out) == expected, f"killed at {moment:.2f} s of {whole:.2f}: {ended}"
