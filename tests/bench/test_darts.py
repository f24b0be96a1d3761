"""The bench on the DARTS space: search and retraining by recipes, resumable."""

import json
import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from archwright.bench.darts import run as darts_module
from archwright.bench.darts.config import DartsConfig
from archwright.bench.darts.run import bench_darts
from archwright.bench.darts.tables import darts_table, summarise_darts
from archwright.bench.engine.results import read_results
from archwright.bench.engine.statistics import Spread
from archwright.errors import ConfigError, RunError
from docs_tables.darts import darts as page

TINY: dict[str, Any] = {
    **{"data": "digits", "methods": "gdas", "simplify": "all", "device": "cpu", "threads": 1},
    **{"search_channels": 4, "search_cells": 3, "search_epochs": 1, "search_limit": 128},
    **{"channels": 4, "cells": 3, "epochs": 1, "limit": 96, "test_limit": 32},
}


def tiny(folder: Path, **settings: Any) -> DartsConfig:
    given: dict[str, Any] = {**TINY, "runs": folder, **settings}
    return DartsConfig(**given)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> DartsConfig:
    """A bench that has run; its folder must not be changed."""
    config = tiny(tmp_path_factory.mktemp("darts"))
    bench_darts(config)
    return config


def test_each_search_is_trained(done: DartsConfig) -> None:
    held = read_results(done.file)
    assert [(r["method"], r["supernet"], r["seed"]) for r in held.rows] == [
        ("gdas", "all", 0),
        ("random", "none", 0),
    ]
    for row, one in zip(held.rows, done.arms, strict=True):
        search, training = done.search(one, 0), done.training(one, 0)
        assert training.architecture == str(search.out)
        found = json.loads((search.out / "architecture.json").read_text())["text"]
        trained = json.loads((training.out / "log.jsonl").read_text().splitlines()[-1])
        assert row["architecture"] == found == trained["architecture"]
        assert (row["top1"], row["macs"]) == (trained["top1"], trained["macs"])
        assert (row["saved_bytes"] is None) == (one.method == "random")
    assert held.command == (
        "archwright bench darts --methods gdas --simplify all --seeds 0 --recipe short "
        "--data digits --test-limit 32 --device cpu --threads 1 "
        "--search-channels 4 --search-cells 3 --search-epochs 1 --search-limit 128 "
        "--channels 4 --cells 3 --epochs 1 --limit 96"
    )


def test_what_has_ended_is_not_run_again(
    done: DartsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darts_module, "search", lambda config: 1 / 0)
    assert len(bench_darts(done).rows) == 2


def test_run_folders_are_gone_on_with(done: DartsConfig, tmp_path: Path) -> None:
    again = bench_darts(replace(done, out=tmp_path / "again.json"))
    assert again.rows == read_results(done.file).rows


def test_other_settings_are_refused(done: DartsConfig) -> None:
    with pytest.raises(RunError, match="was measured with epochs=1, not 2: repeat its settings"):
        bench_darts(replace(done, epochs=2))


def test_a_row_that_lacks_something_is_named(done: DartsConfig, tmp_path: Path) -> None:
    content = json.loads(done.file.read_text())
    row, path = content["rows"][1], tmp_path / "darts.json"
    for changed, message in (
        ({**row, "macs": "many"}, "its macs cannot be 'many'"),
        ({name: value for name, value in row.items() if name != "top1"}, "it lacks top1"),
    ):
        path.write_text(json.dumps({**content, "rows": [content["rows"][0], changed]}))
        with pytest.raises(RunError, match=re.escape(f"{path}, row 2: {message}")):
            bench_darts(replace(done, out=path))


def test_recipes_say_how_long_and_how_large(tmp_path: Path) -> None:
    config = DartsConfig(recipe="paper", runs=tmp_path)
    naive, simplified, *_ = config.arms
    assert (naive.supernet, simplified.supernet) == ("none", "all")
    search, training = config.search(naive, 3), config.training(naive, 3)
    assert (search.space, search.channels, search.epochs, search.seed) == ("darts", None, None, 3)
    published = (training.epochs, training.batch_size, training.drop_path, training.auxiliary)
    assert published == (600, 96, 0.2, 0.4)
    assert training.channels is None  # the space's: 36 and 20 cells
    short = replace(config, recipe="short")
    assert short.search(naive, 3).out != search.out
    assert short.training(naive, 3).epochs < 60
    assert replace(short, epochs=7).training(naive, 3).epochs == 7


def test_standings_are_over_seeds() -> None:
    def row(title: str, supernet: str, seed: int, top1: float, **others: Any) -> dict[str, Any]:
        usual = {"search_seconds": 4.0, "train_seconds": 9.0, "saved_bytes": 4_000_000}
        size = {"params": 3_000_000, "macs": 500_000_000}
        named = {"title": title, "supernet": supernet, "seed": seed, "top1": top1}
        return {**named, **usual, **size, **others}

    rows = [
        row("darts", "none", 0, 90.0),
        row("darts", "none", 1, 92.0),
        row("darts", "all", 0, 93.0, search_seconds=2.0, saved_bytes=1_000_000),
        row("random", "none", 0, 89.0, search_seconds=0.1, saved_bytes=None),
    ]
    naive, simplified, random = summarise_darts(rows)
    assert astuple(naive.top1) == (91.0, pytest.approx(2**0.5))
    assert naive.normalised_cost == 3.0  # 4 times the memory, twice the time
    assert simplified.normalised_cost == 1.0
    assert (random.normalised_cost, random.top1) == (None, Spread(89.0, None))
    table = darts_table([naive, random])
    assert table.rows[0][:6] == ("darts", "none", "2", "91.00 (1.41)", "3.00", "500.0")
    assert table.rows[1][1] == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recipe": "long"}, "unknown recipe 'long'"),
        ({"search_epochs": 0}, "--search-epochs must be above 0, got 0"),
        ({"methods": "dart"}, "unknown method 'dart'"),
        ({"out": Path("/")}, "--out / is a folder: name a file"),
    ],
)
def test_an_impossible_setting_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        tiny(tmp_path, **settings)


def test_results_fill_the_page(done: DartsConfig, tmp_path: Path) -> None:
    (tmp_path / "darts-short.json").write_bytes(done.file.read_bytes())
    made = page(tmp_path)
    assert "**Searched and trained on scikit-learn digits, recipe short**" in made
    assert "`archwright bench darts --methods gdas --simplify all " in made
    assert "\n| gdas | all | 1 |" in made
    assert page(tmp_path / "nothing") == ""
