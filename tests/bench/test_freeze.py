"""Reported seeds are searched with the settings that were frozen for them, and no others."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from archwright.bench.budgets.config import BudgetsConfig
from archwright.bench.budgets.run import bench_budgets
from archwright.bench.engine import freeze as module
from archwright.bench.engine.freeze import Freeze, read_freezes, require_frozen, settings_hash
from archwright.bench.rank.config import RankConfig
from archwright.bench.rank.run import bench_rank
from archwright.errors import ConfigError
from archwright.nas.config import SearchConfig


def config(seed: int = 7, **settings: Any) -> SearchConfig:
    given: dict[str, Any] = {"method": "darts", "preset": "proxy", "data": "cifar10", **settings}
    return SearchConfig(**given, seed=seed, out=Path("unused"))


@pytest.mark.parametrize(
    "change",
    [
        {"alpha_lr": 0.02},
        {"epochs": 6},
        {"channels": 16},
        {"derivation": "nested"},
        {"keep_null": True},
        {"preset": "paper"},
        {"method": "gdas"},
        {"scale": "deviation"},
    ],
)
def test_the_hash_is_of_every_setting_that_decides(change: dict[str, Any]) -> None:
    assert settings_hash(config(**change)) != settings_hash(config())


@pytest.mark.parametrize(
    "change", [{"simplify": "none"}, {"lowering": "naive"}, {"data": "cifar100", "limit": 20_000}]
)
def test_seed_images_and_simplification_are_not_of_it(change: dict[str, Any]) -> None:
    assert settings_hash(config(seed=8, **change)) == settings_hash(config())


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> str:
    now = settings_hash(config())
    freezes = (
        Freeze(seeds=(7, 8), reason="first", settings={"darts/proxy": now}),
        Freeze(seeds=(9,), reason="second", settings={"darts/proxy": "0" * 16}),
    )
    monkeypatch.setattr(module, "read_freezes", lambda: freezes)
    return now


def test_frozen_settings_and_free_seeds_pass(frozen: str) -> None:
    require_frozen(config(seed=7))
    require_frozen(config(seed=100, alpha_lr=0.5))


@pytest.mark.parametrize(
    ("seed", "change", "held"),
    [
        (7, {"alpha_lr": 0.5}, "[0-9a-f]{16} are"),
        (9, {}, "0{16} are"),
        (8, {"method": "snas"}, "none are"),
    ],
)
def test_other_settings_are_refused_for_a_reported_seed(
    frozen: str, seed: int, change: dict[str, Any], held: str
) -> None:
    with pytest.raises(ConfigError, match=f"seed {seed} is reported, and {held} the settings of"):
        require_frozen(config(seed=seed, **change))


def test_no_seed_is_in_two_freezes() -> None:
    freezes = read_freezes()
    assert freezes
    for one, other in combinations(freezes, 2):
        assert not set(one.seeds) & set(other.seeds)
    for one in freezes:
        assert one.reason
        assert not set(one.seeds) & set(range(200))


def test_every_bench_of_searches_asks(frozen: str, tmp_path: Path) -> None:
    rank = RankConfig(methods="snas", seeds="8", data="digits", runs=tmp_path / "rank")
    with pytest.raises(ConfigError, match="seed 8 is reported, and none are the settings of snas"):
        bench_rank(rank)
    budgets = BudgetsConfig(seeds="8", data="digits", runs=tmp_path / "budgets")
    with pytest.raises(ConfigError, match="seed 8 is reported, and none are the settings of diffg"):
        bench_budgets(budgets)
    assert not list(tmp_path.iterdir())
