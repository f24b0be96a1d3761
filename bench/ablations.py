"""Ablations of searches within budgets: python bench/ablations.py parts|penalties.

`parts` searches NAS-Bench-201 by diffgraph with one part of the preset proxy changed, on CIFAR-10,
seed by seed; what it is compared with are the searches of `archwright bench nasbench201`.
`penalties` searches three spaces on digits for networks of limited multiply-accumulates: once with
the limit as a budget, and with fixed weights of the cost in alpha's loss instead. Both write a file
of bench/results after each search, and go on where they were stopped.
"""

import argparse
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from archwright.bench.engine.arms import parse_seeds
from archwright.bench.engine.freeze import require_frozen, settings_hash
from archwright.bench.engine.results import Results, read_or, read_results
from archwright.bench.engine.resume import measure_missing
from archwright.cost import cost_model
from archwright.engine.device import describe_hardware, versions
from archwright.nas.budget.derivation import Derivation
from archwright.nas.config import SearchConfig
from archwright.nas.loop.run import build_run
from archwright.nas.loop.search import search
from archwright.spaces import write_architecture

RESULTS = Path(__file__).parent / "results"
PARTS: dict[str, dict[str, Any]] = {
    "--encoder": {"encoder": True},
    "--progressive": {"progressive": True},
    "--draws 4": {"draws": 4},
    "--estimator straight-through": {"estimator": "straight-through"},
    "--estimator reinmax": {"estimator": "reinmax"},
    "--estimator rao": {"estimator": "rao"},
    "--no-factored-null": {"factored_null": False},
    "--alpha-weight-decay 0.001": {"alpha_weight_decay": 1e-3},
}
"""Options that each part changes in the frozen preset, whose own rows `bench nasbench201` has."""
SIZES: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 8, "cells": 1},
    "darts": {"channels": 4, "cells": 3},
    "spos": {"channels": 8, "cells": 5},
}
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
SHARE = 0.3
"""The limit's place between the least and the most that is possible."""


@dataclass(frozen=True)
class Case:
    """Search of an ablation: its row before it has run, and its configuration."""

    row: dict[str, Any]
    config: SearchConfig


def parts(asked: argparse.Namespace) -> Iterator[Case]:
    """Yield the search with each part changed, seed by seed."""
    for seed in parse_seeds(asked.seeds):
        for number, (part, options) in enumerate(PARTS.items()):
            config = SearchConfig.from_settings(
                **options,
                method="diffgraph",
                preset="proxy",
                data="cifar10",
                data_root=asked.data_root,
                seed=seed,
                test_limit=1000,
                device="cpu",
                resume=True,
                out=asked.runs / f"part{number}-{seed}",
            )
            require_frozen(config, part=part)
            row = {"part": part, "seed": seed, "settings_hash": settings_hash(config)}
            yield Case(row, config)


def penalties(asked: argparse.Namespace) -> Iterator[Case]:
    """Yield the search with the budget and with each weight, space by space and seed by seed."""
    for space, size in SIZES.items():
        plain = SearchConfig(
            **size,
            space=space,
            data="digits",
            epochs=6,
            batch_size=32,
            lr=0.1,
            alpha_lr=0.03,
            alpha_start=2,
            watch=False,
            device="cpu",
            resume=True,
            out=asked.runs / "none",
        )
        constraints = build_run(plain).constraints
        pixels = constraints.space.image_size  # networks for full images, searched on small ones
        constraints = replace(
            constraints, deployed=replace(constraints.deployed, image_size=pixels)
        )
        cost = cost_model("macs", constraints.space, constraints.deployed)
        least, most = Derivation(constraints.table, (), constraints.ranks_none).cost_range(cost)
        limit = least + SHARE * (most - least)
        for seed in parse_seeds(asked.seeds):
            asks: dict[str, dict[str, Any]] = {"budget": {"max_macs": limit}}
            asks |= {f"{weight:g}": {"objective": f"macs={weight:g}"} for weight in WEIGHTS}
            for name, options in asks.items():
                out = asked.runs / f"{space}-{name}-{seed}"
                config = replace(plain, **options, deploy_image_size=pixels, seed=seed, out=out)
                row = {"space": space, "penalty": name, "seed": seed, "limit": limit}
                yield Case({**row, "least": least, "most": most}, config)


def measured(case: Case) -> dict[str, Any]:
    """Run a search and return its row."""
    started = time.process_time()
    result = search(case.config)
    spent = round(time.process_time() - started, 1)
    costs = result.costs or {}
    row = {**case.row, "architecture": write_architecture(result.architecture), "cpu_s": spent}
    return {**row, "accuracy": result.accuracy, "macs": costs.get("macs")}


ABLATIONS: dict[str, Callable[[argparse.Namespace], Iterator[Case]]] = {
    "parts": parts,
    "penalties": penalties,
}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=ABLATIONS)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    path = asked.results / f"ablation-{asked.what}.json"
    empty = Results(
        command=shlex.join(["python", "bench/ablations.py", asked.what, "--seeds", asked.seeds]),
        settings={},
        versions=versions(),
        hardware=describe_hardware(torch.device("cpu")),
        threads=1,
        rows=[],
    )
    measure_missing(
        path,
        list(ABLATIONS[asked.what](asked)),
        read=lambda: read_or(path, empty, read_results),
        is_done=lambda held, case: any(case.row.items() <= row.items() for row in held.rows),
        measure=lambda _, case: measured(case),
        add=lambda held, row: replace(empty, rows=[*held.rows, row]),
        describe=str,
    )


if __name__ == "__main__":
    main()
