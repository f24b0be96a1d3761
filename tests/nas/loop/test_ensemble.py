"""Supernets that decide together: each a search of its own, the answer that of their mean."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archwright.cli import main
from archwright.errors import ConfigError, RunError
from archwright.nas.config import SearchConfig
from archwright.nas.derive.selection import EnsembleEvaluator
from archwright.nas.loop import ensemble
from archwright.nas.loop.ensemble import average
from archwright.nas.loop.search import search
from archwright.nas.loop.trained import TrainedSupernet
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.stages import search_config
from archwright.spaces import get_space, write_architecture

from ...engine.helpers import tiny_search, traces


def two(out: Path, **changes: Any) -> SearchConfig:
    """Two supernets that a high rate drives apart."""
    settings: dict[str, Any] = {"supernets": 2, "epochs": 2, "alpha_lr": 0.3, "watch": False}
    return tiny_search(out, **{**settings, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SearchConfig:
    config = two(tmp_path_factory.mktemp("together") / "out", seed=3)
    search(config)
    return config


def members(config: SearchConfig) -> list[TrainedSupernet]:
    return [
        TrainedSupernet.load(config.ensemble_member(number)) for number in range(config.supernets)
    ]


def test_weights_are_averaged() -> None:
    mean = average([{"a": [0.0, 1.0], "b": [0.5]}, {"a": [1.0, 0.5], "b": [0.0]}])
    assert mean == {"a": [0.5, 0.75], "b": [0.25]}


def test_the_answer_is_that_of_the_mean(done: SearchConfig) -> None:
    first, second = members(done)
    assert first.weights != second.weights
    constraints = first.run.constraints
    found = search(replace(done, resume=True)).architecture
    assert found == constraints.derive(average([first.weights, second.weights]))
    records = traces(done.out)["log"]
    assert [record["event"] for record in records] == ["start", "supernet", "supernet", "result"]
    assert records[-1]["architecture"] == write_architecture(found)


def test_each_supernet_is_a_search_of_its_own(done: SearchConfig, tmp_path: Path) -> None:
    own = two(tmp_path / "own", seed=7, supernets=1)  # twice 3, and one
    found = write_architecture(search(own).architecture)
    said = [record for record in traces(done.out)["log"] if record["event"] == "supernet"]
    assert said[1] == {"event": "supernet", "number": 1, "seed": 7, "architecture": found}
    both = (traces(folder)["log"] for folder in (own.out, done.out / "supernet1"))
    alphas = [[r["alpha"] for r in records if r["event"] == "epoch"] for records in both]
    assert alphas[0] == alphas[1]


def test_seconds_are_those_of_all_supernets(done: SearchConfig) -> None:
    parts = [
        search(replace(done.ensemble_member(number), resume=True)).seconds for number in (0, 1)
    ]
    assert search(replace(done, resume=True)).seconds > sum(parts)


def test_a_panel_takes_the_mean_of_what_its_judges_see(done: SearchConfig) -> None:
    both = members(done)
    constraints = both[0].run.constraints
    one = constraints.derive(both[0].weights)
    seen = [ensemble_member.evaluator.mean(one, 1) for ensemble_member in both]
    assert seen[0] != seen[1]
    evaluator = EnsembleEvaluator(
        [ensemble_member.evaluator for ensemble_member in both], constraints, finalists=2
    )
    assert evaluator.mean(one, 1) == pytest.approx(
        [(a + b) / 2 for a, b in zip(*seen, strict=True)]
    )
    weights = average([ensemble_member.weights for ensemble_member in both])
    best = min(constraints.top(weights, 2), key=lambda one: evaluator.mean(one, 4)[0])
    assert evaluator.select(constraints, weights) == best


def test_what_was_stopped_goes_on_with_the_supernet_that_is_missing(
    done: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(done, out=tmp_path / "out")
    alone, seen = ensemble.search_single, list[Path]()

    def once(ensemble_member: SearchConfig) -> Any:
        seen.append(ensemble_member.out)
        return (
            alone(ensemble_member)
            if ensemble_member.out.name == "supernet0" or len(seen) > 2
            else 1 / 0
        )

    monkeypatch.setattr(ensemble, "search_single", once)
    with pytest.raises(ZeroDivisionError):
        search(config)
    log = (config.out / "supernet0" / "log.jsonl").read_bytes()
    with pytest.raises(RunError, match="holds a run already"):
        search(config)
    found = search(replace(config, resume=True))
    assert (config.out / "supernet0" / "log.jsonl").read_bytes() == log
    assert traces(config.out) == traces(done.out)
    assert found.architecture == search(replace(done, resume=True)).architecture


def test_budgets_and_fronts_are_decided_together(tmp_path: Path) -> None:
    sizes = {"deploy_channels": 4, "deploy_cells": 1, "deploy_image_size": 8}
    config = two(tmp_path / "out", method="diffgraph", pareto=3, finalists=2, **sizes)
    result = search(config)
    assert result.front is not None
    macs = [point["costs"]["macs"] for point in result.front]
    assert macs == sorted(macs)
    measured = replace(config, latency_device="edgegpu", pareto=2)
    assert measured.ensemble_member(0).latency_device is None  # the front is the panel's
    held = search(two(tmp_path / "held", max_macs=macs[1], **sizes))
    assert held.feasible is True


def test_the_command_shows_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ("--data", "digits", "--channels", "4", "--cells", "1", "--limit", "64", "--epochs", "1")
    asked = (*size, "--batch-size", "16", "--supernets", "2", "--out", str(tmp_path / "out"))
    assert main(["search", *asked]) == 0
    assert "architecture: |" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<th>supernet") == 2
    assert "No epoch has been logged" not in page
    assert main(["inspect", "--architecture", str(tmp_path / "out")]) == 0


def test_a_build_searches_with_several(tmp_path: Path) -> None:
    config = BuildConfig(out=tmp_path, data="digits", preset="tiny", supernets=3)
    assert search_config(config, get_space("nasbench201"), 8).supernets == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supernets": 0}, "--supernets must be above 0, got 0"),
        ({"devices": 2}, "--supernets 2 are trained one after the other: leave out --devices"),
        (
            {"seed": 2**31},
            f"--seed {2**31} is too large for the seeds of 2 supernets: give at most {2**31 - 1}",
        ),
        (
            {"method": "random"},
            "--supernets needs alpha, which random does not learn: leave it out",
        ),
        (
            {"method": "diffgraph", "progressive": True},
            "--supernets and --progressive contradict each other: a supernet without some "
            "candidates cannot evaluate all finalists; leave out one of the two",
        ),
    ],
)
def test_what_cannot_be_decided_together(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        search(two(tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()
