"""The comparison of prunings itself, on networks that take part of a second."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from archwright.backends import Session
from archwright.bench.engine.results import Results, read_results
from archwright.bench.pruning import run as pruning
from archwright.bench.pruning.config import FRESH, METHODS, ONE_GO, PruningConfig
from archwright.bench.pruning.latency import interleaved
from archwright.bench.pruning.measurements import PrunedRow, parse_rows
from archwright.bench.pruning.methods import NetworkFactory
from archwright.bench.pruning.run import bench_pruning
from archwright.cli import main
from archwright.engine.runs.folder import SCHEMA
from archwright.errors import ConfigError, RunError
from archwright.training.config import TrainConfig
from archwright.training.run import train

NB201 = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
TINY: dict[str, Any] = {
    **{"network": NB201, "data": "digits", "channels": 16, "cells": 1, "limit": 64},
    **{"test_limit": 40, "train_epochs": 1, "gate_epochs": 1, "epochs": 1, "batch_size": 32},
    **{"calibration": 16, "threads": 1, "device": "cpu", "targets": "0.8", "seeds": "0"},
    "latency_rounds": 0,
}


def tiny(folder: Path, **settings: Any) -> PruningConfig:
    usual: dict[str, Any] = {**TINY, "runs": folder}
    return PruningConfig(**{**usual, **settings})


def held(config: PruningConfig, results: Results | None = None) -> dict[str, PrunedRow]:
    """The rows of a bench by method and fusion."""
    rows = parse_rows(config.file, results or read_results(config.file))
    return {f"{row.method} {row.fusion}": row for row in rows}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> PruningConfig:
    """A bench of all methods that has run; its folder must not be changed."""
    config = tiny(tmp_path_factory.mktemp("bench"), methods=",".join(METHODS), latency_rounds=3)
    bench_pruning(config)
    return config


def test_every_method_has_a_network_below_its_target(done: PruningConfig) -> None:
    rows = held(done)
    assert list(rows) == [
        *("unpruned None", "whole None"),
        *(f"nodes {fusion}" for fusion in ("sum", "linear", "se", "linear+se")),
        *(f"{method} linear+se" for method in ("gates", "taylor", "random")),
        *("channels None", "channels-global None"),
        *("channels-unrounded None", "channels-global-unrounded None"),
        *("operations None", "operations-taylor None"),
        *("fresh linear+se", "narrower None"),
    ]
    (before,) = {(row.macs_before, row.params_before, row.top1_before) for row in rows.values()}
    for row in rows.values():
        assert row.macs <= row.target * before[0]
        assert 0 <= row.top1 <= 100
        assert (row.top1_pruned is None) == (row.method in FRESH)
        assert bool(row.cut) == (row.method not in ("unpruned", "whole"))
        assert (row.gates is not None) == (row.method == "gates")
    assert rows["unpruned None"].macs == rows["whole None"].macs == before[0]
    low, high = rows["gates linear+se"].gates or (0, 0)
    assert 0 < low < high  # they were learned
    assert "fusion=linear+se" in rows["nodes linear+se"].cut
    assert rows["narrower None"].cut == "channels=12"


def test_widths_are_rounded_but_in_rows_of_their_own(done: PruningConfig) -> None:
    def odd(method: str) -> bool:
        content = (done.runs / "seed0" / f"{method}-0.8" / "network.onnx").read_bytes()
        model = onnx.load_model_from_string(content)
        kernels = (one for one in model.graph.initializer if len(one.dims) == 4)
        return any(one.dims[0] % 4 for one in kernels)

    assert not odd("channels-global")
    assert not odd("channels")
    assert odd("channels-global-unrounded")
    assert odd("channels-unrounded")


def test_networks_are_timed_in_turns_with_the_unpruned_one(done: PruningConfig) -> None:
    for row in held(done).values():
        assert row.latency is not None
        assert [timed["batch"] for timed in row.latency] == [1, 32]
        for timed in row.latency:
            assert timed["rounds"] == 3
            assert timed["ms"] > 0
            assert timed["unpruned_ms"] > 0


def test_rounds_go_there_and_back() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    taken = interleaved(calls, 3)
    assert [len(times) for times in taken.values()] == [3, 3]
    assert "".join(order[6:]) == "aabbbbaaaabb"  # each once more, for the caches


def test_what_is_timed_is_what_was_scored(done: PruningConfig) -> None:
    folder = done.runs / "seed0" / "channels-0.8"
    assert Session(folder / "network.onnx")(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    course = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["event"] for record in course] == ["epoch"]
    assert course[0]["test_top1"] == held(done)["channels None"].top1  # 40 images are all


def test_the_command_repeats_what_was_done(done: PruningConfig) -> None:
    results = read_results(done.file)
    methods = ",".join([ONE_GO, *(method for method in METHODS if method != ONE_GO)])
    assert results.command == (
        f"archwright bench pruning '{NB201}' --targets 0.8 --methods {methods} "
        "--fusions sum,linear,se,linear+se --seeds 0 --data digits --test-limit 40 "
        "--device cpu --threads 1 --limit 64 --channels 16 --cells 1 --train-epochs 1 "
        "--gate-epochs 1 --calibration 16 --epochs 1 --batch-size 32"
    )
    assert results.threads == results.settings["threads"] == 1
    assert {"torch", "torch-pruning", "onnxruntime"} <= set(results.versions)


def test_gates_are_learned_once_and_every_way_starts_alike(done: PruningConfig) -> None:
    assert len(list(done.runs.glob("seed0/gates/log.jsonl"))) == 1
    log = (done.runs / "seed0" / "onward" / "log.jsonl").read_text().splitlines()
    assert len(log) == done.gate_epochs
    for name in ("narrower-0.8", "fresh-linear+se-0.8", "whole"):
        fresh = json.loads((done.runs / "seed0" / name / "config.json").read_text())
        assert fresh["epochs"] == done.train_epochs + done.gate_epochs + done.epochs


def test_networks_are_timed_later_and_nothing_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(tmp_path, methods="channels-global,whole")
    before = held(config, bench_pruning(config))
    assert all(row.latency is None for row in before.values())
    monkeypatch.delattr(pruning, "NetworkFactory")
    timed = held(config, bench_pruning(replace(config, latency_rounds=3)))
    assert list(timed) == list(before)
    for name, row in timed.items():
        assert row.latency is not None
        assert replace(row, latency=None) == before[name]


def test_what_is_pruned_and_what_is_fresh_have_the_same_nodes(done: PruningConfig) -> None:
    rows = held(done)
    assert rows["fresh linear+se"].cut == rows["nodes linear+se"].cut


def test_what_is_there_is_not_made_again(
    done: PruningConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(pruning, "NetworkFactory")
    before = done.file.read_bytes()
    again = bench_pruning(replace(done, methods="channels"))
    assert len(again.rows) == 17  # all that the file holds
    assert done.file.read_bytes() == before
    assert capsys.readouterr().err == ""


def test_a_bench_that_was_stopped_goes_on_to_the_same_numbers(
    done: PruningConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(tmp_path, methods="nodes,operations", fusions="linear")
    original = NetworkFactory.make

    def make(self: NetworkFactory, one: Any, share: float) -> Any:
        if one.method == "operations":
            raise KeyboardInterrupt
        return original(self, one, share)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkFactory, "make", make)
        with pytest.raises(KeyboardInterrupt):
            bench_pruning(config)
    assert list(held(config)) == ["unpruned None", "nodes linear"]
    ended = held(config, bench_pruning(config))
    for name, row in ended.items():
        wanted = held(done)[name]
        assert replace(row, seconds=0, latency=None) == replace(wanted, seconds=0, latency=None)


def test_a_trained_network_is_taken_as_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    training: dict[str, Any] = {
        **{"architecture": "darts-v2", "channels": 4, "cells": 3, "data": "digits"},
        **{"limit": 32, "test_limit": 20, "epochs": 1, "batch_size": 16, "auxiliary": 0.0},
        **{"device": "cpu", "out": run},
    }
    train(TrainConfig(**training))
    usual = {name: value for name, value in TINY.items() if name not in ("channels", "cells")}
    asked: dict[str, Any] = {"network": str(run), "data": "", "limit": None, "test_limit": None}
    asked |= {"batch_size": 16, "epochs": 0, "methods": "operations", "runs": tmp_path / "bench"}
    config = PruningConfig(**{**usual, **asked})
    results = bench_pruning(config)
    whole, cut = parse_rows(config.file, results)
    log = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert whole.top1_before == cut.top1_before == log["top1"]
    assert cut.top1 == cut.top1_pruned  # it was not tuned
    assert not (tmp_path / "bench" / "seed0" / "trained").exists()


def test_gates_may_be_left_out_of_what_stays(done: PruningConfig, tmp_path: Path) -> None:
    config = tiny(tmp_path, methods="gates", epochs=0, drop_gates=True)
    row = held(config, bench_pruning(config))["gates linear+se"]
    gated = held(done)["gates linear+se"]
    assert "gated" in gated.cut
    assert row.cut == gated.cut.replace(" gated=yes", "")
    assert row.params < gated.params


def test_other_settings_are_refused(done: PruningConfig) -> None:
    with pytest.raises(RunError, match=r"measured with limit=64, not 65: repeat its settings"):
        bench_pruning(replace(done, limit=65))


def test_a_folder_of_other_settings_is_refused(done: PruningConfig, tmp_path: Path) -> None:
    config = replace(done, methods="nodes", out=tmp_path / "other.json", lr=0.5)
    with pytest.raises(RunError, match=r"unpruned was run with lr=0.025, not 0.5: resume with the"):
        bench_pruning(config)


def test_a_folder_of_networks_trained_on_otherwise_is_refused(
    done: PruningConfig, tmp_path: Path
) -> None:
    config = replace(done, methods="random", gate_epochs=2, out=tmp_path / "other.json")
    with pytest.raises(RunError, match=r"onward was run with epochs=1, not 2: resume with the"):
        bench_pruning(config)


def test_a_target_out_of_reach_says_what_can_be_had(done: PruningConfig) -> None:
    with pytest.raises(ConfigError, match="operation pruning cannot come down to"):
        bench_pruning(replace(done, methods="operations", targets="0.01"))


def test_nodes_that_do_not_suffice_are_known_before_anything_is_pruned(
    done: PruningConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(NetworkFactory, "make")
    config = replace(done, methods="nodes", targets="0.9,0.01", out=tmp_path / "other.json")
    with pytest.raises(ConfigError, match=r"--targets 0.01, nodes, sum: the network cannot come"):
        bench_pruning(config)
    assert not config.file.exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": "0.5,1"}, r"--targets 1: give shares between 0 and 1, such as 0.727,0.6,0.5"),
        ({"targets": "half"}, r"--targets half: give shares between 0 and 1"),
        ({"methods": "channel"}, r"unknown method 'channel': did you mean 'channels'"),
        ({"fusions": "lin"}, r"unknown fusion 'lin'"),
        ({"seeds": "x"}, r"--seeds x: give numbers and ranges"),
        ({"latency_batches": "1,0"}, r"--latency-batches 1,0: give numbers of images"),
        ({"epochs": -1}, r"--epochs must not be negative, got -1"),
        ({"gate_epochs": 0}, r"--gate-epochs must be above 0, got 0"),
        ({"epochs": 2}, r"--gate-epochs 1 is less than --epochs 2: learn gates for as long as"),
        ({"round_to": 0}, r"--round-to must be above 0, got 0"),
        (
            {"channels": 8, "latency_rounds": 5},
            r"--latency-rounds 5: 8 channels are too few to time a network of; give --channels 16",
        ),
        ({"precision": "16"}, r"unknown precision '16'"),
        ({"out": Path("/")}, r"--out / is a folder: name a file"),
    ],
)
def test_an_impossible_setting_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(tmp_path, **settings)


def test_a_trained_network_that_is_narrow_is_not_timed(tmp_path: Path) -> None:
    content = {"schema": SCHEMA, "kind": "train", "channels": 8}
    (tmp_path / "config.json").write_text(json.dumps(content))
    narrow = {"network": str(tmp_path), "channels": None, "cells": None, "latency_rounds": 5}
    with pytest.raises(ConfigError, match=r"--latency-rounds 5: 8 channels are too few to time"):
        tiny(tmp_path, **narrow)


def test_the_size_of_a_trained_network_is_not_asked_for(done: PruningConfig) -> None:
    run = str(done.runs / "seed0" / "trained")
    with pytest.raises(
        ConfigError, match=r"--channels is that of the training in .*: leave it out"
    ):
        replace(done, network=run)


def test_the_command_line_shows_table_and_rows(
    done: PruningConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("limit", "test_limit", "channels", "cells", "train_epochs", "gate_epochs", "epochs")
    names += ("batch_size", "calibration", "threads", "device", "targets", "seeds", "runs", "data")
    words = [w for n in names for w in ("--" + n.replace("_", "-"), str(getattr(done, n)))]
    code = main(["bench", "pruning", NB201, *words, "--methods", "channels", "--json"])
    out, err = capsys.readouterr()
    assert code == 0
    content = json.loads(out)
    assert content["rows"] == read_results(done.file).rows
    assert [row["method"] for row in content["standings"]][:3] == ["unpruned", "whole", "nodes"]
    assert "accuracies in % of test images:" in err
    assert f"results: {done.file}" in err
    code = main(["bench", "pruning", "darts-v3", *words, "--out", str(done.runs / "x.json")])
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("archwright: error: ")
    assert error.count("\n") == 1
