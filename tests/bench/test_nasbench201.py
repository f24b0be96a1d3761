"""The bench of searches itself, on searches that take part of a second."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archwright.bench.engine.freeze import settings_hash
from archwright.bench.instruments.step_memory import step_bytes
from archwright.bench.nasbench201 import run as nasbench201
from archwright.bench.nasbench201.config import Nasbench201Config
from archwright.bench.nasbench201.run import bench_nasbench201
from archwright.bench.nasbench201.searches import read_searches
from archwright.bench.supernet import run as supernet
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.run import bench_supernet
from archwright.errors import ConfigError, RunError
from archwright.nas.loop.result import SearchResult
from archwright.nas.methods import METHODS

TINY: dict[str, Any] = {
    **{"data": "digits", "channels": 4, "cells": 1, "epochs": 1, "batch_size": 16},
    **{"limit": 64, "test_limit": 32, "threads": 1, "device": "cpu", "no_baselines": True},
}


def tiny(folder: Path, **settings: Any) -> Nasbench201Config:
    usual: dict[str, Any] = {
        **TINY,
        "methods": "darts",
        "simplify": "none,all",
        "seeds": "0",
        "runs": folder,
    }
    return Nasbench201Config(**{**usual, **settings})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Nasbench201Config:
    """A bench that has run; its folder must not be changed."""
    config = tiny(tmp_path_factory.mktemp("bench"), methods="darts,gdas")
    bench_nasbench201(config)
    return config


def test_every_search_is_in_the_file(done: Nasbench201Config) -> None:
    held = read_searches(done.file)
    assert [(s.arm.method, s.arm.supernet, s.seed) for s in held.searches] == [
        *(("darts", "none", 0), ("darts", "all", 0)),
        *(("gdas", "none", 0), ("gdas", "all", 0), ("random", "none", 0)),
    ]
    for search in held.searches:
        folder = done.search(search.arm, search.seed).out
        result = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
        assert result["architecture"] == search.architecture
        assert result["seconds"] == search.seconds
        assert search.cpu_seconds is not None
        assert search.options == METHODS[search.arm.method].presets["proxy"]
        assert (search.images, search.peak_bytes) == ("scikit-learn digits", None)
        assert (search.saved_bytes is None) == (search.arm.method == "random")
        assert search.settings_hash == settings_hash(done.search(search.arm, search.seed))
        last = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()][-2]
        learned = search.arm.method != "random"
        assert search.weights == (last["alpha"] if learned else None)
    assert held.threads == held.settings["threads"] == 1
    assert held.settings["device"] == "cpu"
    assert held.command == (
        "archwright bench nasbench201 --methods darts,gdas --simplify none,all --seeds 0 "
        "--data digits --preset proxy --test-limit 32 --device cpu --threads 1 "
        "--channels 4 --cells 1 --epochs 1 --batch-size 16 --limit 64 --no-baselines"
    )


def test_searches_are_run_as_they_are_said_to_be(done: Nasbench201Config) -> None:
    naive, fused = (done.search(one, 3) for one in done.arms[:2])
    assert (naive.simplify, naive.lowering) == ("none", "naive")
    assert (fused.simplify, fused.lowering) == ("all", "fused")
    assert (naive.seed, naive.resume, naive.preset) == (3, True, "proxy")
    assert naive.out != fused.out


def test_several_supernets_decide_together_in_all_but_the_baselines() -> None:
    config = Nasbench201Config(methods="darts", simplify="all", data="digits", supernets=3)
    found = {one.method: config.search(one, 3) for one in config.arms}
    assert {name: one.supernets for name, one in found.items()} == {
        **{"darts": 3, "random": 1, "random-ws": 1},
    }
    assert found["darts"].out.name == "darts-all-proxy-digits-x3-3"
    assert "x3" not in found["random-ws"].out.name


def test_what_was_searched_is_not_searched_again(
    done: Nasbench201Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(nasbench201, "search")
    before = done.file.read_bytes()
    again = bench_nasbench201(replace(done, methods="gdas"))
    assert len(again.searches) == 5  # all that the file holds
    assert done.file.read_bytes() == before
    assert capsys.readouterr().err == ""


def test_a_bench_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(tmp_path, seeds="0-1")
    original, ran = nasbench201.search, list[str]()

    def search(given: Any) -> SearchResult:
        ran.append(given.out.name)
        if len(ran) == 3:
            raise KeyboardInterrupt
        return original(given)

    monkeypatch.setattr(nasbench201, "search", search)
    with pytest.raises(KeyboardInterrupt):
        bench_nasbench201(config)
    assert len(read_searches(config.file).searches) == 2
    capsys.readouterr()
    held = bench_nasbench201(config)
    assert len(held.searches) == 6
    assert len(ran) == 7  # that which was stopped began again
    assert ran.count("darts-none-proxy-digits-0") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "/6 " in line]
    assert lines[0].startswith("3/6 random none, seed 0: |")
    assert lines[0].endswith(" s")
    assert "--seeds 0-1" in held.command


def test_reported_seeds_are_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(nasbench201, "search")
    with pytest.raises(ConfigError, match=r"seed 204 is reported, and .* of darts/proxy"):
        bench_nasbench201(tiny(tmp_path, seeds="100,204"))
    assert not list(tmp_path.iterdir())


def test_a_search_that_had_ended_before_keeps_its_seconds(
    done: Nasbench201Config, tmp_path: Path
) -> None:
    held = read_searches(done.file)
    again = bench_nasbench201(replace(done, out=tmp_path / "other.json"))
    for one, other in zip(held.searches, again.searches, strict=True):
        assert other.cpu_seconds is None  # how much it took is not known any more
        assert replace(other, cpu_seconds=one.cpu_seconds) == one


def test_bytes_are_those_of_the_bench_of_supernets(
    done: Nasbench201Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    # in a process of its own
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: [(1, "")] * len(config.variants)
    )
    saved = [s.saved_bytes for s in read_searches(done.file).searches]
    size: dict[str, Any] = {
        "channels": 4,
        "cells": 1,
        "image_size": 8,
        "batch_size": 16,
        "repeats": 1,
    }
    config = SupernetConfig(**size, simplify="all", threads=1, device="cpu")
    _, naive, simplified = bench_supernet(config).rows
    grey = 16 * 2 * 8 * 8 * 4  # the digits have one channel, the bench's images three
    assert saved[:2] == [naive["saved_bytes"] - grey, simplified["saved_bytes"] - grey]
    assert saved[0] is not None
    assert saved[2] is not None
    assert saved[2] < saved[0] / 2  # a sampled path


def test_sampled_bytes_are_the_same_each_time(done: Nasbench201Config) -> None:
    config = done.search(done.arms[2], 0)
    assert config.method == "gdas"
    assert step_bytes(config) == step_bytes(config)


def test_other_settings_are_refused(done: Nasbench201Config) -> None:
    with pytest.raises(RunError, match=r"measured with limit=64, not 65: repeat its settings"):
        bench_nasbench201(replace(done, limit=65))


def test_a_preset_that_has_changed_is_refused(
    done: Nasbench201Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(METHODS["gdas"], "presets", {"proxy": {"epochs": 7}})
    with pytest.raises(RunError, match="holds searches of gdas with other settings than preset"):
        bench_nasbench201(done)


def test_other_images_are_refused(done: Nasbench201Config, tmp_path: Path) -> None:
    out = tmp_path / "searches.json"
    content = json.loads(done.file.read_text())
    content["searches"] = [{**content["searches"][0], "images": "others"}]
    out.write_text(json.dumps(content))
    with pytest.raises(RunError, match="would hold searches on others and scikit-learn digits"):
        bench_nasbench201(replace(done, out=out))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "--epochs must be above 0"),
        ({"threads": 0}, "--threads must be above 0"),
        ({"precision": "16"}, "unknown precision '16'"),
        ({"methods": "dart"}, "unknown method 'dart'"),
        ({"seeds": "x"}, "--seeds x: give numbers"),
        ({"out": Path("/")}, "--out / is a folder: name a file"),
    ],
)
def test_an_impossible_setting_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(tmp_path, **settings)
