"""What the tests of runs, searches and trainings share: tiny runs, and ways to cut them short."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.folder import RunFolder
from archwright.nas.config import SearchConfig
from archwright.training.config import TrainConfig

UNEVEN = """
from archwright.spaces import CellSpec, EdgeSpec, Space, Staged
from archwright.spaces import operations as op

edges = (EdgeSpec(0, 1, ("skip", "conv")), EdgeSpec(0, 2), EdgeSpec(1, 2, ("none", "skip", "conv")))
space = Space(
    name="uneven",
    candidates={"none": op.none, "skip": op.skip, "conv": op.conv(1), "pool": op.avg_pool(3)},
    skeleton=Staged(CellSpec(1, 2, edges, (2,))),
    search_size=(4, 1),
    train_size=(4, 1),
)
"""
"""A user's space whose decisions have 2, 4 and 3 candidates."""

PLAIN = """
from archwright.graph import INPUT, Conv, GlobalAvgPool, Linear, Network, ReLU, Step, chain
from archwright.graph import name_slots
from archwright.spaces import Site, Space, dense_cell
from archwright.spaces import operations as op


class Plain:
    def cells(self, size):
        return {"cell": dense_cell(2)}

    def build(self, size, place):
        C = size.channels
        stem = name_slots(chain(Conv(size.image_channels, C, 3)), "stem")
        head = name_slots(chain(ReLU(), GlobalAvgPool(), Linear(C, size.classes)), "head")
        cell = place("cell", "cell0", (chain(),), (C,), Site(C, C))
        steps = (
            Step("stem", stem, (INPUT,)),
            Step("cell0", cell, ("stem",)),
            Step("head", head, ("cell0",)),
        )
        return Network(size.image, steps)

    def auxiliary_after(self, size):
        return "cell0"


space = Space(
    name="plain",
    candidates={
        "none": op.none,
        "skip": op.skip,
        "conv": lambda site: chain(ReLU(), Conv(site.c_in, site.c_out, 3)),
    },
    skeleton=Plain(),
    search_size=(4, 1),
    train_size=(4, 1),
)
"""
"""A user's space without any batch norm: what a batch gives does not depend on how it is cut."""

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def tiny_search(out: Path, **changes: Any) -> SearchConfig:
    """Three epochs of three steps on digits."""
    settings: dict[str, Any] = {
        **{"channels": 4, "cells": 1, "epochs": 3, "batch_size": 16},
        **{"limit": 96, "test_limit": 40, "device": "cpu"},
    }
    return SearchConfig.from_settings(out=out, **{**settings, **changes})


def tiny_training(out: Path, **changes: Any) -> TrainConfig:
    """Three epochs of three steps on digits."""
    settings: dict[str, Any] = {
        **{"channels": 4, "cells": 1, "epochs": 3, "batch_size": 16, "architecture": CELL},
        **{"limit": 48, "test_limit": 40, "device": "cpu"},
    }
    return TrainConfig(out=out, **{**settings, **changes})


class KilledError(Exception):
    """What stands for a kill within a process."""


def interrupted(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int, run: Callable[[], object]
) -> None:
    """`run()`, cut short when `owner.method` is called for the `call`-th time (from 0)."""
    original: Callable[..., object] = getattr(owner, method)
    calls = iter(range(call + 1))

    def stop(*args: Any, **kwargs: Any) -> object:
        if next(calls) == call:
            raise KilledError
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, stop)
        with pytest.raises(KilledError):
            run()


def traces(out: Path) -> dict[str, Any]:
    """What a run left, the time that it took left out: bytes of its files, records of its log."""
    folder = RunFolder(out)
    records = folder.log.records()
    varying = ("seconds", "watch_seconds", "out")
    timeless = [{k: v for k, v in r.items() if k not in varying} for r in records]
    files = (folder.architecture, folder.weights)
    return {"log": timeless, **{file.name: file.read_bytes() for file in files}}


def files(out: Path) -> list[str]:
    """Every file under `out`."""
    return sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
