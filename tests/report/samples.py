"""Run folders with made-up numbers, shaped as the ones that a search or a training leaves."""

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

Edges = Sequence[Sequence[tuple[str, int]]]

NB201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DARTS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
SPOS = ("shuffle_3x3", "shuffle_5x5", "shuffle_7x7", "shuffle_x")

NB201_CELL: Edges = [
    [("nor_conv_3x3", 0)],
    [("nor_conv_3x3", 0), ("none", 1)],
    [("skip_connect", 0), ("nor_conv_1x1", 1), ("avg_pool_3x3", 2)],
]
NORMAL: Edges = [
    [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)],
    [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)],
    [("sep_conv_3x3", 1), ("skip_connect", 0)],
    [("skip_connect", 0), ("dil_conv_3x3", 2)],
]
REDUCE: Edges = [
    [("max_pool_3x3", 0), ("max_pool_3x3", 1)],
    [("skip_connect", 2), ("max_pool_3x3", 1)],
    [("max_pool_3x3", 0), ("skip_connect", 2)],
    [("skip_connect", 2), ("dil_conv_5x5", 3)],
]


def cell(inputs: int, nodes: Edges, output: Sequence[int]) -> dict[str, object]:
    """A cell as architecture.json has it."""
    return {"inputs": inputs, "nodes": nodes, "output": output}


def write_run(
    folder: Path,
    config: Mapping[str, object],
    records: Sequence[Mapping[str, object]],
    architecture: Mapping[str, object] | None,
) -> Path:
    """Write the files of a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"schema": 1, **config}))
    (folder / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if architecture is not None:
        (folder / "architecture.json").write_text(json.dumps({"schema": 1, **architecture}))
    return folder


NB201_TEXT = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
)


def nb201(text: str = NB201_TEXT) -> dict[str, object]:
    """An architecture of NAS-Bench-201."""
    return {"space": "nasbench201", "text": text, "cells": {"cell": cell(1, NB201_CELL, [3])}}


def darts() -> dict[str, object]:
    """The published second-order DARTS architecture."""
    cells = {"normal": cell(2, NORMAL, [2, 3, 4, 5]), "reduce": cell(2, REDUCE, [2, 3, 4, 5])}
    return {"space": "darts", "text": f"normal={NORMAL} reduce={REDUCE}", "cells": cells}


def spos() -> dict[str, object]:
    """A chain of twenty blocks."""
    ops = [SPOS[i * 7 % 4] if i % 3 else SPOS[i % 4] for i in range(20)]
    cells = {f"block{i}": cell(1, [[(op, 0)]], [1]) for i, op in enumerate(ops)}
    return {"space": "spos", "text": " ".join(ops), "cells": cells}


def start(kind: str, decisions: Mapping[str, Sequence[str]] | None = None) -> dict[str, object]:
    """The first record of a log."""
    record: dict[str, object] = {
        "event": "start",
        "kind": kind,
        "params": 1_735_042,
        "versions": {"python": "3.11.7", "torch": "2.11.0", "archwright": "0.1.0"},
        "hardware": "2 x 3.1 GHz CPU cores, 8 GiB",
    }
    return record if decisions is None else {**record, "decisions": decisions}


def _softmax(logits: Sequence[float]) -> list[float]:
    peak = max(logits)
    powers = [math.exp(value - peak) for value in logits]
    return [power / sum(powers) for power in powers]


def _kinds(decisions: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name.rpartition("/")[0] for name in decisions))


def search_epochs(
    decisions: Mapping[str, Sequence[str]], epochs: int, seed: int = 0, sharpness: float = 2.5
) -> list[dict[str, object]]:
    """Epochs of a search whose weights settle slowly."""
    rng = random.Random(seed)
    goal = {name: [rng.gauss(0, sharpness) for _ in ops] for name, ops in decisions.items()}
    records: list[dict[str, object]] = []
    for epoch in range(epochs):
        part = 1 - math.exp(-2.5 * epoch / max(epochs - 1, 1))
        alpha = {n: _softmax([part * v + rng.gauss(0, 0.03) for v in g]) for n, g in goal.items()}
        entropies = [-sum(p * math.log(p) for p in weights) for weights in alpha.values()]
        fall = math.exp(-3.2 * epoch / epochs)
        records.append(
            {
                "event": "epoch",
                "epoch": epoch,
                "train_loss": 0.35 + 1.8 * fall + rng.gauss(0, 0.02),
                "train_top1": 91 - 58 * fall + rng.gauss(0, 0.4),
                "valid_loss": 0.55 + 1.6 * fall + rng.gauss(0, 0.05),
                "valid_top1": 84 - 51 * fall + rng.gauss(0, 1.1),
                "lr": 0.001 + 0.012 * (1 + math.cos(math.pi * epoch / epochs)),
                "alpha": alpha,
                "entropy": sum(entropies) / len(entropies),
                "skips": {kind: round(0.5 * part, 2) for kind in _kinds(decisions)},
                "gap": 20 * part + rng.gauss(0, 1),
                "eigenvalue": None if epoch == 0 else 0.1 + part + rng.gauss(0, 0.02),
                "architecture": "not read",
                "seconds": 151.7 * (epoch + 1),
            }
        )
    return records


def train_epochs(
    epochs: int, seed: int, name: str = "", level: float = 94.0
) -> list[dict[str, object]]:
    """Epochs of a training that ends near `level` percent."""
    rng = random.Random(seed)
    records: list[dict[str, object]] = []
    for epoch in range(epochs):
        fall = math.exp(-4.5 * epoch / epochs)
        record: dict[str, object] = {
            "event": "epoch",
            "epoch": epoch,
            "train_loss": 0.05 + 1.7 * fall + rng.gauss(0, 0.01),
            "train_top1": 99 - 60 * fall + rng.gauss(0, 0.2),
            "test_loss": 0.28 + 1.5 * fall + rng.gauss(0, 0.03),
            "test_top1": level - 55 * fall + rng.gauss(0, 0.4),
            "test_top5": 99.6 - 20 * fall + rng.gauss(0, 0.1),
            "lr": 0.05 * (1 + math.cos(math.pi * epoch / epochs)),
            "seconds": 41.0 * (epoch + 1),
        }
        records.append({**record, "name": name} if name else record)
    return records


def config(kind: str, space: str, **more: object) -> dict[str, object]:
    """Settings of a run."""
    return {
        "kind": kind,
        "space": space,
        "data": "cifar10",
        "epochs": 50,
        "batch_size": 64,
        "channels": 16,
        "cells": 8,
        "seed": 0,
        "device": "cuda",
        "precision": "bf16-mixed",
        **more,
    }


def search_result(text: str, accuracy: float = 93.57) -> dict[str, object]:
    """The last record of a search."""
    return {
        "event": "result",
        "architecture": text,
        "params": 1_073_466,
        "macs": 153_274_250,
        "accuracy": accuracy,
        "seconds": 7_585.2,
        "out": "weights.safetensors",
    }


NB201_DECISIONS = {f"cell/{i}->{j}": NB201 for j in range(1, 4) for i in range(j)}
DARTS_DECISIONS = {
    f"{kind}/{i}->{j}": DARTS
    for kind in ("normal", "reduce")
    for j in range(2, 6)
    for i in range(j)
}


def nb201_search(folder: Path, *, seed: int = 0, accuracy: float = 93.57) -> Path:
    """A finished search in NAS-Bench-201."""
    architecture = nb201()
    command = "archwright search --space nasbench201 --method gdas --data cifar10 --seed 0"
    return write_run(
        folder,
        config("search", "nasbench201", method="gdas", seed=seed, command=command),
        [
            start("search", NB201_DECISIONS),
            *search_epochs(NB201_DECISIONS, 50, seed),
            search_result(str(architecture["text"]), accuracy),
        ],
        architecture,
    )


def darts_search(folder: Path) -> Path:
    """A finished search in the DARTS space."""
    architecture = darts()
    return write_run(
        folder,
        config("search", "darts", method="darts-v2", budget={"macs": 6e8, "hold": True}),
        [
            start("search", DARTS_DECISIONS),
            *search_epochs(DARTS_DECISIONS, 50, 3, sharpness=1.0),
            search_result(str(architecture["text"]), 97.24),
        ],
        architecture,
    )


def training(folder: Path) -> Path:
    """Three networks trained with one recipe: the one found, one made by hand, one at random."""
    levels = {"found": 94.1, "hand-made": 93.2, "random": 91.4}
    rows = [
        {
            "name": name,
            "architecture": str(nb201()["text"]),
            "channels": 16 + 2 * i,
            "params": 1_073_466 + 21_000 * i,
            "macs": 153_274_250 + 900_000 * i,
            "top1": level,
            "top5": 99.7 - 0.1 * i,
        }
        for i, (name, level) in enumerate(levels.items())
    ]
    epochs = [
        record
        for i, (name, level) in enumerate(levels.items())
        for record in train_epochs(200, i, name, level)
    ]
    result = {**rows[0], "event": "result", "seconds": 25_310.0, "rows": rows}
    return write_run(
        folder,
        config("train", "nasbench201", epochs=200, command=["archwright", "train", "my runs/a"]),
        [start("train"), *epochs, result],
        nb201(),
    )


def spos_training(folder: Path) -> Path:
    """One network of twenty blocks, trained alone."""
    result = {"event": "result", "top1": 74.3, "params": 3.4e6, "macs": 3.23e8, "seconds": 51.3}
    return write_run(
        folder,
        config("train", "spos", data="imagenet", epochs=240),
        [start("train"), *train_epochs(240, 5, level=74.3), result],
        spos(),
    )


def unfinished(folder: Path, epochs: int) -> Path:
    """A search killed after `epochs` epochs."""
    return write_run(
        folder,
        config("search", "nasbench201", method="gdas", seed=7, batch_size=256),
        [start("search", NB201_DECISIONS), *search_epochs(NB201_DECISIONS, epochs, 7)],
        None,
    )


def pruning(folder: Path) -> Path:
    """The network of `training` without one node."""
    text = str(nb201()["text"])
    rows = [
        {"name": "pruned", "architecture": f"{text} without cell0:2", "channels": 16}
        | {"params": 900_000, "macs": 122_000_000, "top1": 93.9},
        {"name": "unpruned", "architecture": text, "channels": 16}
        | {"params": 1_073_466, "macs": 153_274_250, "top1": 94.1},
    ]
    told = {"deleted": {"cell0": [2]}, "kinds": {"cell0": "cell"}, "top1": 91.0}
    records = [
        start("prune"),
        {"event": "pruned", **told},
        *train_epochs(10, 0, "pruned", 93.9),
        {"event": "result", "seconds": 640.0, "rows": rows},
    ]
    settings = config("prune", "nasbench201", epochs=10, architecture=text)
    return write_run(folder, settings, records, nb201(f"{text} without cell0:2"))
