"""Trained networks to prune: of both spaces, with all that a training may leave."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archwright.nas.loop.search import search
from archwright.training.run import train

from ..engine.helpers import tiny_search, tiny_training

if TYPE_CHECKING:
    pass


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of NAS-Bench-201, with an auxiliary head and an average of its weights."""
    out = tmp_path_factory.mktemp("nasbench201") / "trained"
    train(tiny_training(out, ema=0.5, auxiliary=0.4, lr=0.1, epochs=2))
    return out


@pytest.fixture(scope="session")
def darts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DARTS_V2, beside a random network."""
    out = tmp_path_factory.mktemp("darts") / "trained"
    settings = {"architecture": "darts-v2", "cells": 3, "auxiliary": 0.0, "drop_path": 0.1}
    train(tiny_training(out, **settings, against=("random",), epochs=1))
    return out


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search."""
    out = tmp_path_factory.mktemp("search") / "found"
    search(tiny_search(out, epochs=1, space="darts", cells=3, batch_size=48))
    return out


@pytest.fixture(scope="session")
def heir(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of that search, trained from the weights that it left."""
    out = tmp_path_factory.mktemp("heir") / "trained"
    settings = {"architecture": str(searched), "inherit": searched, "cells": 3}
    train(tiny_training(out, **settings, auxiliary=0.0, epochs=1))
    return out
