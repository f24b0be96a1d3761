"""What first-order DARTS finds on NAS-Bench-201, simplified and not, seed by seed.

Searches CIFAR-10 with the same settings for every variant and seed, one after the other, and looks
up what was found; no search reads the table. Resumable: a search that is done is not done again.

    .venv/bin/python bench/search_quality.py --data-root PATH --seeds 0 1 2 3 4

Writes bench/results/search-quality.json.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

import archwright as aw
from archwright.files import write_json
from archwright.runs.device import describe_hardware, versions

RESULTS = Path(__file__).parent / "results" / "search-quality.json"
VARIANTS = {
    "naive": {"simplify": "none", "lowering": "naive"},
    "all": {"simplify": "all", "lowering": "fused"},
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which searches to run, and how long each is."""

    data_root: Path
    """Folder that holds cifar10/train.parquet and cifar10/test.parquet."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    variants: tuple[str, ...] = ("all", "naive")
    cells: int = 1
    limit: int = 10_000
    epochs: int = 6
    alpha_lr: float = 3e-3
    title: str = "CIFAR-10 (JPEG)"
    """What the images are; an accuracy measured on them is not one on other files."""
    runs: Path = Path("runs/search-quality")
    out: Path = RESULTS


def main(options: Options) -> None:
    """Run what is left, and write after each search."""
    import torch

    held: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    rows: list[dict[str, Any]] = held.get("searches", [])
    done = {(row["variant"], row["seed"]) for row in rows}
    for seed in options.seeds:
        for variant in options.variants:
            if (variant, seed) in done:
                continue
            rows.append(run(options, variant, seed))
            content = {
                "schema": 1,
                "command": "python bench/search_quality.py --data-root PATH",
                "data": options.title,
                "settings": {
                    name: getattr(options, name)
                    for name in ("cells", "limit", "epochs", "alpha_lr")
                },
                "hardware": describe_hardware(torch.device("cpu")),
                "versions": versions(),
                "searches": rows,
            }
            write_json(options.out, content)
            print(json.dumps(rows[-1]), flush=True)


def run(options: Options, variant: str, seed: int) -> dict[str, Any]:
    """One search, and what the table says of its result."""
    config = aw.SearchConfig(
        data="cifar10",
        data_root=options.data_root,
        cells=options.cells,
        limit=options.limit,
        test_limit=1000,
        epochs=options.epochs,
        alpha_lr=options.alpha_lr,
        seed=seed,
        resume=True,
        out=options.runs / f"{variant}-{seed}",
        simplify=VARIANTS[variant]["simplify"],
    )
    if variant == "naive":
        config = replace(config, lowering="naive")
    found = aw.search(config)
    text = aw.write_architecture(found.architecture)
    entry = aw.lookup(text)
    return {
        "variant": variant,
        "seed": seed,
        "architecture": text,
        "seconds": found.seconds,
        "cifar10_test": round(entry.cifar10_test, 2),
        "cifar100_test": round(entry.cifar100_test, 2),
        "imagenet16_test": round(entry.imagenet16_test, 2),
        "rank": entry.rank,
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
