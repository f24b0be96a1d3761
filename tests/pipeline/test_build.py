"""Builds from start to end: what they leave, and how they go on."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import archwright
from archwright.cli import main
from archwright.cli.commands.build import command
from archwright.cli.console import Show
from archwright.cost import graph_cost
from archwright.cost.files import read_rows
from archwright.cost.peak import peak_bytes
from archwright.engine.networks.trained import load_network
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.engine.runs.log import RunLog
from archwright.errors import ConfigError, RunError
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop.run import build_run
from archwright.pipeline import run as builder
from archwright.pipeline.plan import make_plan
from archwright.pipeline.result import BuildResult
from archwright.pipeline.run import build
from archwright.pipeline.stages import pruning_config, within_budgets
from archwright.spaces import Size, get_space, read_architecture, reference_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.trainer import Trainer

from ..engine.helpers import KilledError, files, interrupted
from .helpers import left_behind, tiny_build

LOOSE: dict[str, Any] = {"max_macs": 1e6, "max_memory_mb": 1.0, "max_size_mb": 1.0}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def quick_profile() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archwright.pipeline.profiling._NETWORKS", 2)
        patch.setattr("archwright.pipeline.profiling._REPEATS", 5)
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A build within budgets on costs that are counted, its network pruned."""
    return build(tiny_build(tmp_path_factory.mktemp("built") / "out", **LOOSE))


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A build within a latency of this machine, without a pruning, beside a random network."""
    settings: dict[str, Any] = {"macs": None, "finetune_epochs": None, "against": ("random",)}
    out = tmp_path_factory.mktemp("profiled") / "out"
    return build(tiny_build(out, max_latency_ms=1000, **settings))


def test_a_build_leaves_a_run_for_each_stage_a_file_and_a_page(
    built: BuildResult, capsys: pytest.CaptureFixture[str]
) -> None:
    there = files(built.out)
    assert [name for name in there if "/" not in name] == [
        *("architecture.json", "config.json", "log.jsonl", "model.onnx", "report.html"),
    ]
    assert {name.partition("/")[0] for name in there if "/" in name} == {
        *("network", "pruned", "search"),
    }
    assert [stage.name for stage in built.stages] == ["search", "train", "prune", "export"]
    assert main(["inspect", "--architecture", str(built.out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["macs"], facts["params"]) == (built.macs, built.params)
    assert built.seconds == pytest.approx(sum(stage.seconds for stage in built.stages), abs=0.01)
    assert RunFolder(built.out).result() == json.loads(json.dumps(built.to_json()))
    content = json.loads(json.dumps(built.to_json()))
    assert BuildResult.from_json(content, built.out, CLASSIFICATION) == built


def test_the_result_is_that_of_the_last_network(built: BuildResult) -> None:
    pruned = RunFolder(built.out / "pruned").result()
    assert pruned is not None
    assert built.architecture == pruned["architecture"]
    assert "without cell" in built.architecture
    assert (built.macs, built.params) == (pruned["macs_after"], pruned["params_after"])
    assert built.macs <= 0.8 * pruned["macs_before"]
    assert built.score == pytest.approx(pruned["top1_after"])
    config = archwright.EvaluateConfig(file=built.file, test_limit=40, device="cpu")
    assert archwright.evaluate(config).score.headline == pytest.approx(built.score)
    exported = RunFolder(built.out / "pruned").log.last("export")
    assert exported is not None
    assert exported["latency_ms"] == built.latency_ms > 0
    assert [row.name for row in built.rows] == ["searched", "trained", "pruned"]
    assert built.rows[2].macs == built.macs < built.rows[1].macs


def test_every_budget_is_judged_on_the_final_network(built: BuildResult) -> None:
    verdicts = {budget.cost: budget for budget in built.budgets}
    assert list(verdicts) == ["macs", "memory_mb", "size_mb"]
    searched = RunFolder(built.out / "search").result()
    assert searched is not None
    assert {name: one.predicted for name, one in verdicts.items()} == searched["costs"]
    assert verdicts["macs"].value == built.macs < verdicts["macs"].predicted
    assert verdicts["size_mb"].value == pytest.approx(4e-6 * built.params)
    network = load_network(built.out / "pruned").network
    assert verdicts["memory_mb"].value == pytest.approx(peak_bytes(network) / 1e6)
    assert not any(one.measured for one in verdicts.values())
    assert built.feasible is True


def test_the_page_tells_every_stage(built: BuildResult) -> None:
    html = built.report.read_text()
    for title in ("Curves of the search", "Curves of the pruning", "Budgets", "Exported"):
        assert f"<h2>{title}</h2>" in html


def test_this_machine_is_profiled_where_a_latency_is_asked_for(profiled: BuildResult) -> None:
    rows = read_rows(profiled.out / "latency.csv")
    assert {row["input"] for row in rows} >= {"4x8x8", "8x4x4", "16x2x2"}
    assert [stage.name for stage in profiled.stages] == ["profile", "search", "train", "export"]
    (verdict,) = profiled.budgets
    assert verdict.cost == "latency_ms"
    assert verdict.measured
    assert verdict.value == profiled.latency_ms
    assert 0 < verdict.predicted <= 1000
    assert profiled.feasible is True
    assert [row.name for row in profiled.rows] == ["searched", "trained", "random"]


def test_what_was_measured_decides(
    profiled: BuildResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (verdict,) = profiled.budgets
    slow = replace(verdict, value=1000.5)
    assert (verdict.holds, slow.holds) == (True, False)
    result = replace(profiled, budgets=(slow,), feasible=False)
    content = command.show(result, Show(sys.stdout))
    text = capsys.readouterr().out
    assert "NOT within the budgets: latency_ms; build with a smaller limit" in text
    assert (content["feasible"], content["budgets"][0]["holds"]) == (False, False)


def test_a_finished_build_is_returned_and_not_touched(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.out.rglob("*")}
    monkeypatch.setattr(builder, "make_plan", lambda config: 1 / 0)
    assert build(tiny_build(built.out, **LOOSE, resume=True)) == built
    assert {path: path.stat().st_mtime_ns for path in built.out.rglob("*")} == before


def stopped(monkeypatch: pytest.MonkeyPatch, name: str, run: Callable[[], object]) -> None:
    """`run()`, cut short where the build calls the function of that name."""

    def stop(*given: object, **more: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(builder, name, stop)
        with pytest.raises(KilledError):
            run()


def test_a_build_that_is_cut_short_at_every_stage_ends_as_if_it_had_not_been(
    built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def go_on() -> None:
        build(tiny_build(out, **LOOSE, resume=True, checkpoint_seconds=0.0))

    interrupted(monkeypatch, Bilevel, "step", 1, go_on)
    interrupted(monkeypatch, RunLog, "write", 1, go_on)
    interrupted(monkeypatch, Trainer, "step", 2, go_on)  # of the training
    finished = (out / "search").stat().st_mtime_ns
    monkeypatch.setattr(Bilevel, "step", lambda *given: 1 / 0)
    interrupted(monkeypatch, Trainer, "step", 4, go_on)  # of the fine-tuning
    interrupted(monkeypatch, Trainer, "step", 1, go_on)
    stopped(monkeypatch, "evaluate", go_on)
    monkeypatch.setattr(Trainer, "step", lambda *given: 1 / 0)
    stopped(monkeypatch, "write_report", go_on)
    go_on()
    assert left_behind(out) == left_behind(built.out)
    assert (out / "search").stat().st_mtime_ns == finished
    records = RunFolder(out).log.records()
    stages = [record["name"] for record in records if record["event"] == "stage"]
    assert stages == ["search", "train", "prune", "export"]


def test_a_table_that_is_there_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_build(tmp_path / "out", max_latency_ms=1000, resume=True)
    interrupted(monkeypatch, Bilevel, "step", 0, lambda: build(config))
    before = (tmp_path / "out" / "latency.csv").read_bytes()
    monkeypatch.setattr("archwright.pipeline.profiling.profile", lambda *given, **more: 1 / 0)
    interrupted(monkeypatch, Bilevel, "step", 1, lambda: build(config))
    assert (tmp_path / "out" / "latency.csv").read_bytes() == before


def test_a_later_stage_may_be_asked_for_afterwards(
    profiled: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what a finished stage was run with may not change."""
    monkeypatch.setattr(Bilevel, "step", lambda *given: 1 / 0)
    settings: dict[str, Any] = {"max_latency_ms": 1000, "against": ("random",), "resume": True}
    with pytest.raises(RunError, match=r"/search was run with seed=0, not 1: resume with the same"):
        build(tiny_build(profiled.out, **settings, seed=1))
    with pytest.raises(RunError, match=r"/network was run with epochs=1, not 2: resume with the"):
        build(tiny_build(profiled.out, **settings, epochs=2))
    asked = read_config(profiled.out)["asked"]
    assert (asked["seed"], asked["epochs"]) == (0, 1)  # what was refused is not written down
    assert load_network(profiled.out).folder.path == profiled.out / "network"
    result = build(tiny_build(profiled.out, **settings))
    assert load_network(profiled.out).folder.path == profiled.out / "pruned"
    assert result.macs <= 0.8 * profiled.macs
    assert [stage.name for stage in result.stages][-2:] == ["prune", "export"]
    assert result.file.read_bytes() != b""
    assert load_network(result.out / "pruned").cost.macs == result.macs


def test_the_file_is_that_of_what_is_asked_for_and_of_the_network_as_it_is(
    built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("out")
    sizeless = {**LOOSE, "max_size_mb": None}  # a size budget is for one type of weights

    def go_on(**changes: Any) -> tuple[BuildResult, dict[str, Any]]:
        result = build(tiny_build(out, **{**sizeless, **changes}, resume=True))
        exported = RunFolder(out).log.last("export")
        assert exported is not None
        assert result.file.stat().st_size == exported["bytes"]
        assert result.latency_ms == exported["latency_ms"]
        return result, exported

    def exports() -> int:
        return [record["event"] for record in RunFolder(out).log.records()].count("export")

    first, _ = go_on()
    _, quantised = go_on(weights="int8")
    assert quantised["weights"] == "int8"
    other, program = go_on(format="torch")
    assert (program["format"], program["weights"]) == ("torch", "float32")
    assert other.file == out / "model.pt2"
    again, _ = go_on()
    assert again.architecture == first.architecture
    assert again.file.read_bytes() == built.file.read_bytes()
    # pruned anew
    shutil.rmtree(out / "pruned")
    smaller, exported = go_on(macs=0.5)
    assert smaller.macs <= 0.5 * smaller.rows[1].macs
    assert exported["macs"] == load_network(out / "pruned").cost.macs == smaller.macs
    assert smaller.macs < again.macs
    # what changes nothing of the file writes none
    before = exports(), smaller.file.stat().st_mtime_ns
    smaller.report.unlink()
    go_on(macs=0.5)
    assert (exports(), smaller.file.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": None, "preset": "paper"},
        {"space": "darts", "cells": 4},
        {"space": "spos", "channels": 16, "search_channels": 16, "preset": "paper"},
    ],
)
def test_budgets_count_for_the_size_that_is_built(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = {"macs": None, "finetune_epochs": None, "max_params": 1e9, **changes}
    plan = make_plan(tiny_build(tmp_path / "out", **settings))
    assert build_run(plan.search).constraints.deployed == plan.size
    assert (plan.training.channels, plan.training.cells) == (plan.size.channels, plan.size.cells)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"macs": 0.8}, {"macs": 0.8, "params": None, "memory_mb": None}),
        ({"macs": 0.8, "max_macs": 5e8}, {"macs": "0.8 of the whole"}),
        ({"macs": 0.8, "max_macs": 6e4}, {"macs": 6e4}),
        ({"macs": 5e4, "max_macs": 6e4}, {"macs": 5e4}),
        ({"macs": 0.8, "max_params": 9e3, "max_size_mb": 0.032}, {"macs": 0.8, "params": 8e3}),
        ({"max_size_mb": 0.01, "weights": "int8", "limit": 64}, {"params": 1e4}),
        (
            {"max_memory_mb": 0.5, "max_latency_ms": 5.0},
            {"memory_mb": 0.5, "latency_ms": 5.0, "latency_firm": False},
        ),
        (
            {"macs": None, "latency_ms": 7.0, "max_latency_ms": 5.0},
            {"latency_ms": 5.0, "latency_firm": True},
        ),
        (
            {"latency_ms": 4.0, "max_latency_ms": 5.0},
            {"latency_ms": 4.0, "latency_firm": True},
        ),
    ],
)
def test_a_pruning_keeps_the_budgets(
    tmp_path: Path, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    plan = make_plan(tiny_build(tmp_path / "out", **asked))
    found = reference_architecture(plan.space, plan.size)
    whole = graph_cost(plan.space.discrete(found, plan.size)).macs
    pruning = plan.pruning_of(found)
    said = {"0.8 of the whole": 0.8 * whole}
    for name, value in expected.items():
        assert getattr(pruning, name) == said.get(value, value), name


def test_a_latency_of_another_device_is_nothing_to_prune_by(tmp_path: Path) -> None:
    config = tiny_build(tmp_path / "out", max_latency_ms=25.0, latency_device="raspi4")
    pruning = pruning_config(config)
    assert pruning is not None
    network = get_space("darts").discrete(read_architecture("darts-v2"), Size(channels=4, cells=3))
    assert within_budgets(pruning, config, network).latency_ms is None


# what cannot be done


def test_what_cannot_be_reached_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "step", lambda *given: 1 / 0)
    with pytest.raises(ConfigError, match=r"--macs cannot come down to .* MACs: with \d nodes del"):
        build(tiny_build(tmp_path / "out", macs=0.01))
    assert not (tmp_path / "out" / "network").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_macs": 10.0}, r"--max-macs"),
        ({"max_params": 10.0, "max_latency_ms": 5.0}, r"--max-params"),
        (
            {"space": "spos", "channels": 16, "search_channels": 16},
            r"space spos has no cell that a node could be delet",
        ),
        ({"space": "nowhere"}, r"unknown space 'nowhere'"),
        ({"batch_size": 1000}, r"batch"),
        (
            {"format": "executorch"},
            "executorch is not installed: pip install executorch to export with",
        ),
        (
            {"macs": None, "finetune_epochs": None, "space": "spos", "cells": 5},
            r"--cells 5 makes networks with oth",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_stage(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(archwright.ArchwrightError, match=message) as caught:
        build(tiny_build(tmp_path / "out", **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_taken_is_left_alone(built: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"out holds a run already: add --resume, or give another"):
        build(tiny_build(built.out))
    with pytest.raises(RunError, match=r"search is the run of a search, no build: give another"):
        build(tiny_build(built.out / "search", resume=True))
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RunError, match=r"is not empty and holds no run: give another --out"):
        build(tiny_build(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_command(built: BuildResult, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["build", "--preset", "tiny", "--channels", "4", "--search-channels", "4"]
    words += ["--limit", "64", "--test-limit", "40", "--search-epochs", "2", "--epochs", "1"]
    words += ["--finetune-epochs", "1", "--batch-size", "16", "--macs", "0.8", "--device", "cpu"]
    words += ["--max-macs", "1e6", "--max-memory-mb", "1", "--max-size-mb", "1"]
    assert main([*words, "--out", str(built.out), "--resume", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    content = json.loads(out)
    asked = {"architecture", "top1", "macs", "params", "latency_ms", "feasible", "file"}
    assert asked <= set(content)
    assert {"report", "out", "seconds", "stages"} <= set(content)
    assert content["file"] == str(built.file)
    assert [line.split()[0] for line in err.splitlines() if line.startswith(" macs ")] == ["macs"]
    assert f"exported: {built.file}" in err
    assert main([*words, "--out", str(built.out)]) == 1
    assert capsys.readouterr().err.startswith("archwright: error: ")
