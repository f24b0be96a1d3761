from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archwright.nas.config import SearchConfig
from archwright.nas.loop.search import search
from archwright.pruning.config import PruneConfig
from archwright.pruning.run import prune
from archwright.training.config import TrainConfig
from archwright.training.run import train

DATA: dict[str, Any] = {
    "data": "digits",
    "limit": 128,
    "test_limit": 96,
    "batch_size": 32,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training, with an average of the weights and an auxiliary head."""
    out = tmp_path_factory.mktemp("deploy") / "trained"
    train(
        TrainConfig(
            **DATA,
            architecture="darts-v2",
            channels=4,
            cells=3,
            epochs=2,
            lr=0.1,
            ema=0.5,
            out=out,
        )
    )
    return out


@pytest.fixture(scope="session")
def pruned(trained: Path) -> Path:
    """The folder of a pruning of what was trained."""
    out = trained.parent / "pruned"
    prune(PruneConfig(run=trained, macs=0.8, epochs=1, batch_size=32, device="cpu", out=out))
    return out


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a search by a method; each is searched once."""
    found: dict[str, Path] = {}

    def folder(method: str) -> Path:
        if method not in found:
            out = tmp_path_factory.mktemp("deploy") / method
            size: dict[str, Any] = {"channels": 4, "cells": 1, "epochs": 1, "alpha_start": 0}
            search(SearchConfig(**DATA, **size, method=method, out=out))
            found[method] = out
        return found[method]

    return folder
