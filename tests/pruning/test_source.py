"""What can be pruned, and what is said of what cannot."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from archwright import data
from archwright.engine.runs.folder import RunFolder
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import ArchwrightError, ConfigError, DataError, RunError
from archwright.io.tensors import pack_tensors
from archwright.lowering import GraphModule
from archwright.pruning.prunable import load_prunable, require_fit
from archwright.pruning.run import prune
from archwright.spaces import get_space, read_architecture, write_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.run import train

from ..engine.helpers import tiny_training
from .helpers import tiny_pruning

if TYPE_CHECKING:
    from lightning_fabric import Fabric


WIDER = """
from archwright.graph import Conv, GlobalAvgPool, INPUT, Linear, Network, Step, chain, name_slots
from archwright.spaces import Site, Space, dense_cell
from archwright.spaces import operations as op


class Wider:
    def cells(self, size):
        return {"cell": dense_cell(1)}

    def build(self, size, place):
        C = size.channels
        widths = (size.image_channels,)
        cell = place("cell", "cell0", (chain(),), widths, Site(size.image_channels, C))
        head = name_slots(chain(GlobalAvgPool(), Linear(C, size.classes)), "head")
        return Network(size.image, (Step("cell0", cell, (INPUT,)), Step("head", head, ("cell0",))))

    def auxiliary_after(self, size):
        return "cell0"


space = Space(name="wider", candidates={"conv": op.conv(3)}, skeleton=Wider(), train_size=(4, 1))
"""
"""A user's space of one cell, whose only node has more channels than the image."""


def top1(path: Path, fabric: "Fabric") -> float | None:
    source = load_prunable(path)
    network = GraphModule(source.network)
    network.load_state_dict(dict(source.state))
    images = data.load("digits", limit=48, test_limit=40)
    batches = scoring_batches(fabric, images).epoch(0)
    return evaluate(fabric, CLASSIFICATION, network, batches).score


@pytest.mark.parametrize("name", ["trained", "darts", "heir"])
def test_a_training_is_read_as_it_was_scored(
    name: str, request: pytest.FixtureRequest, fabric: "Fabric"
) -> None:
    folder: Path = request.getfixturevalue(name)
    result = RunFolder(folder).result()
    assert result is not None
    assert top1(folder, fabric) == pytest.approx(result["top1"])
    assert top1(folder / "weights.safetensors", fabric) == pytest.approx(result["top1"])
    best = RunFolder(folder).checkpoint("best")
    assert top1(best, fabric) == pytest.approx(result["rows"][0]["best_top1"])


def test_the_last_checkpoint_gives_the_average(trained: Path) -> None:
    folder = RunFolder(trained)
    last, whole = load_prunable(folder.checkpoint("last")), load_prunable(trained)
    assert set(last.state) == set(whole.state)
    assert all(torch.equal(value, whole.state[name]) for name, value in last.state.items())


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def test_a_rival_is_another_network(tmp_path: Path, darts: Path) -> None:
    message = r"last\.pt holds a network that the run's own is compared with: give .*best\.pt"
    with pytest.raises(RunError, match=message):
        load_prunable(darts / "checkpoints" / "last.pt")
    # one of the same shapes, which nothing else tells apart
    copy = copied(darts, tmp_path / "copy")
    own = torch.load(copy / "checkpoints" / "best.pt", weights_only=True)
    last = copy / "checkpoints" / "last.pt"
    held = torch.load(last, weights_only=True)
    torch.save({**held, "network": own["network"]}, last)
    with pytest.raises(RunError, match=message):
        load_prunable(last)


def test_what_is_no_training(tmp_path: Path, trained: Path, searched: Path) -> None:
    with pytest.raises(
        RunError, match=r"no run and no checkpoint at .*nowhere: give the folder of"
    ):
        load_prunable(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"is no run folder: it has no config\.json"):
        load_prunable(tmp_path)
    loose = tmp_path / "loose.pt"
    loose.write_bytes((trained / "checkpoints" / "last.pt").read_bytes())
    with pytest.raises(RunError, match=r"loose\.pt is no checkpoint in a run folder: give"):
        load_prunable(loose)
    other = copied(trained, tmp_path / "copy") / "other.safetensors"
    other.write_bytes((trained / "weights.safetensors").read_bytes())
    with pytest.raises(
        RunError, match=r"other\.safetensors is no checkpoint in a run folder: give"
    ):
        load_prunable(other)
    with pytest.raises(RunError, match="is a search, its network has never been trained by itself"):
        load_prunable(searched)


def test_a_build_holds_the_training_to_prune(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"schema": 1, "kind": "build"}')
    with pytest.raises(RunError, match=r"is a build: give the training in it, .*network$"):
        load_prunable(tmp_path)


def test_what_is_no_network(tmp_path: Path, trained: Path) -> None:
    copy = copied(trained, tmp_path / "copy")
    torch.save({"schema": 1, "network": None}, copy / "checkpoints" / "last.pt")
    with pytest.raises(RunError, match=r"last\.pt holds no network by itself: give the folder"):
        load_prunable(copy / "checkpoints" / "last.pt")
    (copy / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"weights\.safetensors is damaged .*: restore it"):
        load_prunable(copy)
    (copy / "weights.safetensors").unlink()
    with pytest.raises(RunError, match="has no weights yet: finish its run with --resume"):
        load_prunable(copy)


def test_weights_of_another_shape(tmp_path: Path, trained: Path) -> None:
    copy = copied(trained, tmp_path / "copy")
    weights = load_file(copy / "weights.safetensors")
    weights["slots.head/3.bias"] = torch.zeros(7)
    (copy / "weights.safetensors").write_bytes(pack_tensors(weights))
    with pytest.raises(RunError, match=r"of the run: slots.head/3.bias is \[7\], not \[10\]"):
        load_prunable(copy)


def test_a_network_without_cells_that_nodes_can_go_from(tmp_path: Path) -> None:
    file = tmp_path / "wider.py"
    file.write_text(WIDER)
    settings: dict[str, Any] = {"space": str(file), "epochs": 1, "auxiliary": 0.0}
    own = get_space(str(file))
    text = write_architecture(read_architecture(f"{own.origin}:|conv~0|", own))
    train(tiny_training(tmp_path / "out", architecture=text, **settings))
    with pytest.raises(RunError, match="has no cell that a node could be deleted from: nothing to"):
        load_prunable(tmp_path / "out", own)


def test_what_is_pruned_already(tmp_path: Path, trained: Path) -> None:
    prune(tiny_pruning(trained, tmp_path / "pruned", score="random", epochs=0))
    message = r"is pruned already( \(\d+ nodes, linear\+se\))?: prune the network that it came from"
    with pytest.raises(RunError, match=message):
        prune(tiny_pruning(tmp_path / "pruned", tmp_path / "out"))
    train(tiny_training(tmp_path / "again", architecture=str(tmp_path / "pruned"), epochs=1))
    with pytest.raises(RunError, match=r"is pruned already \(\d+ nodes, linear\+se\): prune the"):
        prune(tiny_pruning(tmp_path / "again", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_images_that_it_was_not_trained_on(trained: Path) -> None:
    source, images = load_prunable(trained), data.load("digits", limit=48, test_limit=40)
    require_fit(source, images)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"image_size": 16}, "was trained for 8 pixels a side, digits has 16: give the --data"),
        ({"classes": ("a", "b")}, "was trained for 10 classes, digits has 2: give the --data"),
        ({"channels": 3}, "was trained for 1 channels an image, digits has 3: give the --data"),
    ]
    for changed, message in changes:
        with pytest.raises(ConfigError, match=message):
            require_fit(source, replace(images, **changed))


CHECKS: list[tuple[dict[str, Any], type[ArchwrightError], str]] = [
    ({"macs": 0.01}, ConfigError, r"--macs cannot come down to 618\.56 MACs: with 6 nodes"),
    ({"macs": None, "memory_mb": 1e-4}, ConfigError, r"--memory-mb cannot come down to 0\.0001 MB"),
    ({"macs": None, "params": 0.05}, ConfigError, "--params cannot come down to .* parameters: wi"),
    ({"batch_size": 49}, DataError, "a batch of 49 is larger than the 48 images"),
    ({"device": "tpu"}, ConfigError, "unknown device 'tpu'"),
    ({"image_size": 16}, DataError, "digits are 8x8 images, not 16"),
    ({"gates": Path("nowhere")}, RunError, "nowhere is no run folder"),
]


@pytest.mark.parametrize(("changed", "error", "message"), CHECKS)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path, trained: Path, changed: dict[str, Any], error, message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        prune(tiny_pruning(trained, tmp_path / "out", **changed))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


SETTINGS: list[tuple[dict[str, Any], str]] = [
    (
        {"macs": None},
        "prune needs a target: --macs 0.727, --params 0.8, --latency-ms 5 or --memory-mb 1",
    ),
    ({"macs": 0}, "--macs must be above 0, got 0"),
    ({"latency_ms": -1}, "--latency-ms must be above 0, got -1"),
    ({"calibration": 0}, "--calibration 0 leaves nothing to fit on: give at least 2 images"),
    ({"gate_epochs": 0}, "--gate-epochs 0 learns no gates: give at least 1, --gates RUN, or --sc"),
    ({"gates": Path("x"), "score": "loss"}, "--gates is of no use with --score loss: leave one"),
    ({"sparsity": 0.1, "score": "loss"}, "--sparsity is of no use with --score loss: leave one o"),
    ({"drop_gates": True, "score": "random"}, "--drop-gates is of no use with --score random: le"),
    ({"temperature": 2.0}, "--temperature is of no use with --distill 0: leave one of them out"),
    ({"fusion": "se", "per": "scalar"}, "--per is of no use with --fusion se: leave one of them"),
    ({"fusion": "linear", "floor": 4}, "--floor is of no use with --fusion linear: leave one of t"),
    ({"fusion": "linaer"}, "unknown fusion 'linaer': did you mean 'linear'?"),
    ({"per": "row"}, "unknown per 'row'"),
    ({"score": "gates"}, "unknown score 'gates': did you mean 'gate'?"),
    ({"devices": 2}, "prune runs in one process: leave --devices out"),
    ({"lr_min": 1}, "--lr-min must not be above --lr"),
    ({"momentum": 1}, "--momentum must be at least 0 and below 1, got 1"),
    ({"distill": -1}, "--distill must not be negative, got -1"),
]


@pytest.mark.parametrize(("changed", "message"), SETTINGS)
def test_settings_that_cannot_be(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        tiny_pruning(Path("run"), Path("out"), **changed)
    assert str(raised.value).startswith(message)
