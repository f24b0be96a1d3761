"""Rank quality of supernets: agreement, files, and the study itself."""

import json
import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from archwright.bench.engine.results import write_results
from archwright.bench.rank import run as rank_module
from archwright.bench.rank.config import RankConfig
from archwright.bench.rank.rankings import Ranking, Rankings, agreements, read_rankings
from archwright.bench.rank.run import bench_rank, sample
from archwright.errors import ConfigError, RunError
from archwright.nas.methods import METHODS
from archwright.spaces import Size, get_space, write_architecture
from archwright.spaces.discretise import is_connected
from archwright.tables import nasbench201
from docs_tables.rank import rank as page

from . import sample_searches

TINY: dict[str, Any] = {
    **{"data": "digits", "channels": 4, "cells": 1, "epochs": 1, "batch_size": 16, "limit": 64},
    **{"test_limit": 32, "threads": 1, "device": "cpu", "samples": 4, "batches": 1},
    **{"methods": "darts", "simplify": "none,all", "seeds": "0"},
}


def tiny(folder: Path, **settings: Any) -> RankConfig:
    given: dict[str, Any] = {**TINY, "runs": folder, **settings}
    return RankConfig(**given)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RankConfig:
    """A bench that has run; its folder must not be changed."""
    config = tiny(tmp_path_factory.mktemp("rank"))
    bench_rank(config)
    return config


def test_the_sample_is_connected_and_the_same_each_time() -> None:
    space = get_space("nasbench201")
    drawn = sample(50)
    texts = [write_architecture(one) for one in drawn]
    assert len(set(texts)) == 50
    assert all(is_connected(space, one, SIZE) for one in drawn)
    assert [write_architecture(one) for one in sample(20)] == texts[:20]


SIZE = Size(channels=4, cells=1)
ARCHITECTURES = (sample_searches.CONV3, sample_searches.CONV1, sample_searches.SKIP)


def ranking(who: str, seed: int, *one_shot: float) -> Ranking:
    return Ranking(
        arm=sample_searches.arm(who),
        seed=seed,
        one_shot=one_shot,
        images="invented",
        options={},
        seconds=3.0,
    )


def rankings(*rows: Ranking) -> Rankings:
    config = RankConfig(data="digits", samples=3)
    return Rankings(
        command=RankConfig.command(config.settings(), rows),
        settings=config.settings(),
        versions={"torch": "2"},
        hardware="a machine",
        threads=2,
        architectures=ARCHITECTURES,
        rankings=rows,
    )


def some() -> Rankings:
    return rankings(
        *(ranking("random-ws none", seed, 30, 20, 10) for seed in (0, 1)),
        *(ranking("random-ws all", 0, 30, 10, 20), ranking("random-ws all", 1, 10, 20, 30)),
    )


def test_agreement_is_of_one_shot_with_the_table() -> None:
    truth = [nasbench201.lookup(a).cifar10_test for a in ARCHITECTURES]
    assert truth == sorted(truth, reverse=True)
    naive, simplified = agreements(some())
    assert astuple(naive.tau) == (pytest.approx(1), pytest.approx(0))
    assert astuple(naive.rho) == (pytest.approx(1), pytest.approx(0))
    assert (naive.difference, naive.p) == (None, None)
    assert astuple(naive.chosen) == (pytest.approx(truth[0]), pytest.approx(0))
    # 1/3 and -1
    assert astuple(simplified.tau) == (pytest.approx(-1 / 3), pytest.approx(4 / 3 / 2**0.5))
    assert simplified.difference == pytest.approx(-4 / 3)
    assert simplified.p == pytest.approx(0.5)  # both signs of two pairs, or none
    assert simplified.chosen.mean == pytest.approx((truth[0] + truth[2]) / 2)
    assert simplified.one_shot == pytest.approx(20)


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "rank.json"
    write_results(path, some())
    assert read_rankings(path) == some()
    made = page(tmp_path)
    assert "`archwright bench rank --methods random-ws --simplify none,all --seeds 0-1 " in made
    assert "| random-ws | all | 2 | -0.333 (0.943) |" in made
    assert page(tmp_path / "nothing") == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "holds results of schema 99, this version reads 1: run the bench again"),
        ({"rankings": [{}]}, "ranking 1: it lacks method"),
        ({"rankings": [5]}, "its rankings cannot be [5]"),
        ({"threads": None}, "its threads cannot be None"),
        ({"architectures": ["x"] * 3}, "'x'"),
        ({"architectures": []}, "ranking 1: not one score for each architecture"),
    ],
)
def test_what_is_no_file_of_rankings_is_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "rank.json"
    write_results(path, some())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunError, match=re.escape(message)) as caught:
        read_rankings(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rank.json"
    path.write_text('{"schema": 1, "searches": []}')
    with pytest.raises(RunError, match="holds no rankings \\(it lacks command, "):
        read_rankings(path)


def test_the_bench_scores_every_architecture_with_every_supernet(done: RankConfig) -> None:
    held = read_rankings(done.file)
    assert held.architectures == tuple(map(write_architecture, sample(4)))
    assert [(r.arm.supernet, r.seed) for r in held.rankings] == [("none", 0), ("all", 0)]
    for one in held.rankings:
        assert len(one.one_shot) == 4
        assert all(0 <= score <= 100 for score in one.one_shot)
        assert one.options == METHODS["darts"].presets["proxy"]
    assert held.command.endswith(
        "--methods darts --simplify none,all --seeds 0 --samples 4 --data digits "
        "--preset proxy --test-limit 32 --device cpu --threads 1 "
        "--channels 4 --cells 1 --epochs 1 --batch-size 16 --limit 64 --batches 1"
    )


def test_what_was_ranked_is_not_ranked_again(
    done: RankConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_module, "search", lambda config: 1 / 0)
    assert len(bench_rank(done).rankings) == 2


def test_a_search_that_was_run_is_used(done: RankConfig, tmp_path: Path) -> None:
    before = read_rankings(done.file)
    again = bench_rank(replace(done, out=tmp_path / "again.json"))
    assert [r.one_shot for r in again.rankings] == [r.one_shot for r in before.rankings]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batches": 2}, "was measured with batches=1, not 2: repeat its settings"),
        ({"samples": 3}, "was measured with samples=4, not 3: repeat its settings"),
    ],
)
def test_other_settings_are_refused(
    done: RankConfig, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        bench_rank(replace(done, **settings))


def test_a_preset_that_changed_is_refused(
    done: RankConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(METHODS["darts"], "presets", {"proxy": {"epochs": 7}})
    with pytest.raises(RunError, match="holds supernets of darts with other settings than"):
        bench_rank(done)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 1}, "--samples must be 2 to 5,000, got 1"),
        ({"batches": 0}, "--batches must be above 0, got 0"),
        ({"methods": "darts,random"}, "--methods random trains no supernet to rank with"),
        ({"epochs": 0}, "--epochs must be above 0"),
        ({"seeds": "x"}, "--seeds x: give numbers"),
        ({"out": Path("/")}, "--out / is a folder: name a file"),
    ],
)
def test_an_impossible_setting_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        tiny(tmp_path, **settings)


def test_what_drops_candidates_keeps_all_of_them_here(tmp_path: Path) -> None:
    config = tiny(tmp_path, methods="diffgraph,darts", preset="paper")
    kept = [config.search(one, 0).options.get("progressive") for one in config.arms]
    assert kept == [False, False, None, None]
