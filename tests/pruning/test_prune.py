"""Prunings from start to end, and what they leave."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

import archwright
from archwright import data
from archwright.backends import LogitsModule, Session, max_error, to_onnx
from archwright.cli import main
from archwright.cost import activation_bytes, graph_cost
from archwright.cost.peak import peak_bytes
from archwright.engine.networks.network_file import read_graph
from archwright.engine.networks.trained import load_network
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import ConfigError, RunError
from archwright.graph import Scale, SqueezeExcite
from archwright.lowering import GraphModule
from archwright.pruning import latency
from archwright.pruning.config import PruneConfig
from archwright.pruning.prunable import load_prunable
from archwright.pruning.result import PruneResult
from archwright.pruning.run import prune
from archwright.pruning.select import select_greedy
from archwright.pruning.stages import Stages
from archwright.pruning.targets import targets_of
from archwright.spaces import Size, get_space, read_architecture, write_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.run import train

from ..engine.helpers import files, tiny_training, traces
from .helpers import FUSIONS, tiny_pruning

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@pytest.fixture(scope="session")
def pruned(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> PruneResult:
    """A pruning of a network of NAS-Bench-201, its gates learned."""
    out = tmp_path_factory.mktemp("pruned") / "out"
    return prune(tiny_pruning(trained, out, distill=0.5))


def network_of(result: PruneResult, run: Path) -> GraphModule:
    """The network that a pruning left, from nothing but its files."""
    architecture, source = read_architecture(str(result.out)), load_prunable(run)
    assert architecture.pruning is not None
    graph = read_graph(result.out / "network.json")
    assert graph == source.space.discrete(architecture, source.size)
    assert read_graph(result.out / "unpruned.json") == source.network
    network = GraphModule(graph)
    network.load_state_dict(load_file(result.out / "weights.safetensors"))
    return network


def test_a_pruning_leaves_a_complete_folder(pruned: PruneResult, trained: Path) -> None:
    assert files(pruned.out) == [
        *("architecture.json", "checkpoints/gates.pt", "checkpoints/last.pt", "config.json"),
        *("log.jsonl", "network.json", "unpruned.json", "weights.safetensors"),
    ]
    records = RunFolder(pruned.out).log.records()
    events = ["start", "epoch", "epoch", "pruned", "epoch", "epoch", "result"]
    assert [record["event"] for record in records] == events
    assert [r["name"] for r in records if r["event"] == "epoch"] == ["gated"] * 2 + ["pruned"] * 2
    assert PruneResult.from_json(records[-1], CLASSIFICATION) == pruned
    assert json.loads(json.dumps(pruned.to_json())) == {
        name: value for name, value in records[-1].items() if name != "event"
    }
    before = RunFolder(trained).result()
    assert before is not None
    assert pruned.score_before == pytest.approx(before["top1"])
    assert (pruned.macs_before, pruned.params_before) == (before["macs"], before["params"])
    assert pruned.score_after == pytest.approx(records[-2]["test_top1"])
    assert pruned.score_pruned == records[3]["top1"]
    gates = [record["gates"] for record in records[1:3]]
    assert set(gates[0]) == set(records[3]["importance"])
    assert gates[0] != gates[1]
    assert {name: abs(gate) for name, gate in gates[1].items()} == records[3]["importance"]
    assert sum(map(len, records[3]["deleted"].values())) == pruned.nodes_deleted > 0
    assert records[3]["kinds"] == {f"cell{n}": "cell" for n in range(3)}


def test_the_gates_decide(pruned: PruneResult, trained: Path) -> None:
    record = RunFolder(pruned.out).log.last("pruned")
    assert record is not None
    importance = {
        (name.partition(":")[0], int(name.partition(":")[2])): value
        for name, value in record["importance"].items()
    }
    config, source = tiny_pruning(trained, pruned.out), load_prunable(trained)
    found = select_greedy(importance, targets_of(config, source.network), config.pruning)
    assert found.by_place() == record["deleted"]
    assert read_architecture(str(pruned.out)).pruning == found


def test_the_files_hold_the_network_that_was_scored(
    pruned: PruneResult, trained: Path, fabric: "Fabric"
) -> None:
    network = network_of(pruned, trained)
    images = data.load("digits", limit=48, test_limit=40)
    batches = scoring_batches(fabric, images).epoch(0)
    scored = evaluate(fabric, CLASSIFICATION, network, batches)
    assert scored.score == pytest.approx(pruned.score_after)
    primitives = [module.primitive for module in network.network.modules()]
    assert any(isinstance(p, SqueezeExcite) for p in primitives)
    assert any(isinstance(p, Scale) and not p.shared for p in primitives)
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 1, 8, 8))
    assert counter.get_total_flops() == 2 * pruned.macs_after
    assert sum(p.numel() for p in network.parameters()) == pruned.params_after
    assert pruned.macs_after <= 0.8 * pruned.macs_before


def test_it_is_exported_like_any_other(pruned: PruneResult, trained: Path) -> None:
    answer = LogitsModule(network_of(pruned, trained))
    assert max_error(answer, Session(to_onnx(answer.network)), answer.network.network.image) < 1e-5


def test_it_is_inspected_like_any_other(
    pruned: PruneResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "--architecture", str(pruned.out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["macs"], facts["params"]) == (pruned.macs_after, pruned.params_after)
    assert facts["architecture"] == pruned.architecture
    network = load_network(pruned.out).network
    assert facts["costs"] == {
        **{"macs": pruned.macs_after, "params": pruned.params_after},
        "size_mb": pytest.approx(pruned.params_after * 4e-6),
        "memory_mb": peak_bytes(network) / 1e6,
        "training_memory_mb": activation_bytes(network) / 1e6,
    }


def test_it_is_trained_like_any_other(pruned: PruneResult, tmp_path: Path) -> None:
    (row,) = train(
        tiny_training(tmp_path / "out", architecture=str(pruned.out), epochs=1, limit=16)
    ).rows
    assert (row.macs, row.params) == (pruned.macs_after, pruned.params_after)
    assert row.architecture == pruned.architecture


@pytest.mark.parametrize("fusion", FUSIONS)
def test_darts_with_every_fusion(darts: Path, tmp_path: Path, fusion: str) -> None:
    settings = {"score": "taylor", "epochs": 0, "macs": None, "params": 0.9}
    result = prune(tiny_pruning(darts, tmp_path / "out", fusion=fusion, **settings))
    assert result.params_after <= 0.9 * result.params_before
    assert result.score_after == result.score_pruned
    architecture = read_architecture(str(result.out))
    assert architecture.pruning is not None
    assert architecture.pruning.fusion.name == fusion
    assert not architecture.pruning.gated
    size = Size(channels=4, cells=3, image_size=8, image_channels=1)
    cost = graph_cost(get_space("darts").discrete(architecture, size))
    assert (cost.macs, cost.params) == (result.macs_after, result.params_after)


def test_an_heir_keeps_the_batch_norms_of_its_search(heir: Path, tmp_path: Path) -> None:
    result = prune(tiny_pruning(heir, tmp_path / "out", score="random", epochs=1))
    weights = load_file(result.out / "weights.safetensors")
    source = load_prunable(heir)
    kept = {name for name in weights if "fusion" not in name}
    assert kept <= set(source.state)
    assert result.macs_after <= 0.8 * result.macs_before
    assert read_config(result.out)["inherit"] == read_config(heir)["inherit"]


def test_numbers_above_one_are_absolute(trained: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"score": "random", "epochs": 0}
    result = prune(tiny_pruning(trained, tmp_path / "out", macs=50_000, **settings))
    assert 31_584 <= result.macs_after <= 50_000


def test_a_share_of_one_deletes_nothing(trained: Path, tmp_path: Path, fabric: "Fabric") -> None:
    settings: dict[str, Any] = {"score": "random", "epochs": 0, "macs": 1}
    result = prune(tiny_pruning(trained, tmp_path / "out", **settings))
    assert (result.nodes_deleted, result.macs_after) == (0, result.macs_before)
    assert result.score_after == result.score_before
    given, left = (load_file(run / "weights.safetensors") for run in (trained, result.out))
    assert set(given) == set(left)
    assert all(torch.equal(value, left[name]) for name, value in given.items())


def test_memory_is_counted_and_met(trained: Path, tmp_path: Path) -> None:
    def held(architecture: str) -> float:
        source = load_prunable(trained)
        network = source.space.discrete(read_architecture(architecture), source.size)
        return peak_bytes(network) / 1e6

    settings: dict[str, Any] = {"score": "random", "epochs": 0, "macs": None, "fusion": "sum"}
    before = held(write_architecture(load_prunable(trained).architecture))
    result = prune(tiny_pruning(trained, tmp_path / "out", memory_mb=0.99 * before, **settings))
    assert result.nodes_deleted > 0
    assert held(result.architecture) <= 0.99 * before


def test_latency_is_measured_and_met(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that goes by the MACs, and another one for parts alone."""

    def clock(network: Any) -> float:
        parts = len(network.steps) == 1
        return 1.0 + graph_cost(network).macs / (5e4 if parts else 1e4)

    for name in ("latency", "targets", "run"):
        monkeypatch.setattr(f"archwright.pruning.{name}.measured_latency", clock)
    settings: dict[str, Any] = {"score": "random", "epochs": 0, "macs": None}
    result = prune(tiny_pruning(trained, tmp_path / "out", latency_ms=6.0, **settings))
    assert result.latency_ms_before == 1.0 + result.macs_before / 1e4
    assert result.latency_ms_after == 1.0 + result.macs_after / 1e4 <= 6.0
    with pytest.raises(ConfigError, match=r"--latency-ms cannot come down to 2 ms: with . nodes"):
        prune(tiny_pruning(trained, tmp_path / "less", latency_ms=2.0, **settings))


def test_a_network_takes_longer_than_its_parts(trained: Path) -> None:
    source = load_prunable(trained)
    assert latency.measured_latency(source.network) > 0
    added = latency.AdditiveLatency(source.network)
    assert added(source.network) > 0
    assert added.factor > 0
    assert added.known


# gates that serve several prunings


def test_gates_are_learned_once(
    pruned: PruneResult, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"gates": pruned.out, "distill": 0.5}
    again = prune(tiny_pruning(trained, tmp_path / "same", **settings))
    assert replace(again, seconds=0, out=pruned.out) == replace(pruned, seconds=0)
    same, first = (load_file(out / "weights.safetensors") for out in (again.out, pruned.out))
    assert all(torch.equal(value, first[name]) for name, value in same.items())
    monkeypatch.setattr(Stages, "learn_gates", lambda *given: 1 / 0)
    other = prune(tiny_pruning(trained, tmp_path / "other", macs=0.6, epochs=0, **settings))
    assert other.nodes_deleted > pruned.nodes_deleted


def test_the_same_training_may_be_named_otherwise(
    pruned: PruneResult, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    images: dict[str, Any] = {"data": "digits", "limit": 48, "test_limit": 40}
    settings = {**images, "gates": pruned.out, "epochs": 0}
    result = prune(tiny_pruning(Path(trained.name), tmp_path / "out", **settings))
    assert result.score_pruned == pruned.score_pruned


def test_other_images_are_as_large_as_those_of_the_training() -> None:
    config = tiny_pruning(Path("run"), Path("out"))
    trained = {"data": "cifar10", "image_size": 16, "limit": 100, "data_root": "/there"}
    same = config.on(trained)
    assert (same.data, same.image_size, same.limit) == ("cifar10", 16, 100)
    trained |= {"background": "black", "white_level": 4095}
    same = config.on(trained)
    assert (same.background, same.white_level) == ("black", 4095)
    assert replace(config, background="white").on(trained).background == "white"
    assert same.data_root == Path("/there")
    other = replace(config, data="cifar100").on(trained)
    assert (other.data, other.image_size, other.limit) == ("cifar100", 16, None)
    assert other.data_root is None
    assert replace(config, data="cifar100", image_size=8).on(trained).image_size == 8


def test_gates_may_be_left_out(pruned: PruneResult, trained: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"gates": pruned.out, "drop_gates": True, "epochs": 0}
    result = prune(tiny_pruning(trained, tmp_path / "out", **settings))
    kept, left = (set(load_file(run / "weights.safetensors")) for run in (pruned.out, result.out))
    assert {name for name in kept - left if "/gate" not in name} == set()
    assert not any("/gate" in name for name in left)
    assert result.macs_after == pruned.macs_after
    assert result.params_after == pruned.params_after - len(kept - left)
    whole = {**settings, "macs": 1.0}
    other = prune(tiny_pruning(trained, tmp_path / "whole", **whole))
    assert (other.nodes_deleted, other.params_after) == (0, other.params_before)


def test_gates_of_other_settings_are_refused(
    pruned: PruneResult, trained: Path, darts: Path, tmp_path: Path
) -> None:
    for changed, message in (
        (
            {"sparsity": 0.1},
            "learned its gates with sparsity=0.01, not 0.1: give the same settings",
        ),
        ({"seed": 1}, "learned its gates with seed=0, not 1: give the same settings, or leave"),
    ):
        with pytest.raises(RunError, match=message):
            prune(tiny_pruning(trained, tmp_path / "out", gates=pruned.out, **changed))
    with pytest.raises(RunError, match=r"learned its gates on another network than .*: give"):
        prune(tiny_pruning(darts, tmp_path / "out", gates=pruned.out))
    with pytest.raises(RunError, match="has learned no gates: give a pruning that did, or leave"):
        prune(tiny_pruning(trained, tmp_path / "out", gates=trained))
    assert not (tmp_path / "out").exists()


# the command


def test_the_command(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prune", str(trained), "--macs", "0.8", "--score", "random", "--epochs", "1"]
    words += ["--batch-size", "16", "--calibration", "20", "--device", "cpu"]
    out = tmp_path / "out"
    assert main([*words, "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    wanted = {"macs_before", "macs_after", "params_before", "params_after", "nodes_deleted"}
    assert {*wanted, "top1_before", "top1_after", "out", "report"} <= set(content)
    assert content["out"] == str(out)
    assert Path(content["report"]).is_file()
    assert "nodes deleted" in printed.err
    before = traces(out)
    assert main([*words, "--out", str(out)]) == 1
    assert "holds a run already: add --resume, or give another --out" in capsys.readouterr().err
    assert main([*words, "--out", str(out), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "of the MACs left; top-1 before fine-tuning:" in shown
    assert traces(out) == before
    assert main([*words, "--out", str(out), "--resume", "--fusion", "sum"]) == 1
    assert "was run with fusion='linear+se', not 'sum': resume with" in capsys.readouterr().err
    assert main(["prune", str(trained), "--out", str(tmp_path / "x")]) == 2
    assert "prune needs a target: --macs 0.727" in capsys.readouterr().err


def test_the_public_name(trained: Path, tmp_path: Path) -> None:
    config = archwright.PruneConfig(
        run=trained, out=tmp_path / "out", macs=0.9, score="random", epochs=0, batch_size=48
    )
    assert isinstance(config, PruneConfig)
    assert isinstance(archwright.prune(config), archwright.PruneResult)
