"""Trainings that start from the weights of a search."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from archwright import data
from archwright.deployment.config import EvaluateConfig, ExportConfig
from archwright.deployment.evaluate import evaluate as evaluate_file
from archwright.deployment.export import export
from archwright.engine.networks.trained import load_network
from archwright.engine.runs.folder import RunFolder
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import RunError
from archwright.graph import Shuffle
from archwright.io.tensors import pack_tensors
from archwright.nas.loop.search import search
from archwright.pruning.run import prune
from archwright.spaces import Size, get_space, read_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.network_spec import NetworkSpec, build
from archwright.training.network_spec import inherit as inherited
from archwright.training.run import train

from ..engine.helpers import CELL, tiny_search, tiny_training
from ..pruning.helpers import tiny_pruning

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BLOCK = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
SIZE = Size(channels=4, cells=1, image_size=8, image_channels=1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search."""
    out = tmp_path_factory.mktemp("search") / "out"
    search(tiny_search(out, epochs=2, lr=0.2))
    return out


def inherit(found: Path, out: Path, **changed: Any) -> None:
    train(tiny_training(out, **{"architecture": str(found), "inherit": found, **changed}))


@pytest.mark.parametrize("auxiliary", [False, True])
def test_an_heir_starts_at_the_accuracy_of_its_search(
    found: Path, fabric: "Fabric", auxiliary: bool
) -> None:
    architecture = read_architecture(str(found))
    fresh = NetworkSpec("found", get_space("nasbench201"), architecture, SIZE)
    spec = inherited(found, fresh)
    module = build(spec, spec.trained(auxiliary=auxiliary))
    images = data.load("digits", limit=96, test_limit=40)
    batches = scoring_batches(fabric, images).epoch(0)
    top1 = evaluate(fabric, CLASSIFICATION, module, batches).score
    result = RunFolder(found).result()
    assert result is not None
    assert top1 == pytest.approx(result["accuracy"])


def test_an_heir_is_trained_and_its_rivals_start_afresh(tmp_path: Path, found: Path) -> None:
    options: dict[str, Any] = {"architecture": str(found), "epochs": 1, "lr": 1e-9}
    both = train(tiny_training(tmp_path / "a", inherit=found, against=("random",), **options))
    fresh = train(tiny_training(tmp_path / "b", against=("random",), **options))
    assert both.rows[1] == fresh.rows[1]
    weights, given = (load_file(out / "weights.safetensors") for out in (both.out, found))
    for name, value in given.items():
        if value.is_floating_point() and "running" not in name:  # it has hardly moved
            torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-6)


def test_an_heir_is_read_and_resumed_without_the_folder_of_its_search(
    tmp_path: Path, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(found, tmp_path / "project" / "search")
    monkeypatch.chdir(tmp_path / "project")
    settings: dict[str, Any] = {"inherit": Path("search"), "architecture": "search", "epochs": 1}
    done = train(tiny_training(Path("heir"), **settings))
    assert str(tmp_path) not in (tmp_path / "project/heir/config.json").read_text()
    (tmp_path / "project" / "search").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    heir = tmp_path / "project" / "heir"
    scored = evaluate_file(EvaluateConfig(file=heir))
    assert scored.score.headline == done.rows[0].score
    # the search is told by its content, wherever it lies now
    settings = {"inherit": tmp_path / "moved", "architecture": "moved", "epochs": 1}
    assert train(tiny_training(heir, resume=True, **settings)).rows == done.rows
    other = search(tiny_search(tmp_path / "other", epochs=1, seed=3)).out
    with pytest.raises(RunError, match=r"was run with (architecture|inherit)='"):
        inherit(other, heir, resume=True, epochs=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": 8}, "are of channels=4, not 8: inherit at the size of the search"),
        ({"cells": 2}, "are of cells=1, not 2: inherit at the size of the search"),
        ({"architecture": CELL}, "is of another architecture, .*: inherit into the arc"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, found: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        inherit(found, tmp_path / "out", **changed)
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_than_the_graph_are_refused(tmp_path: Path, found: Path) -> None:
    weights = load_file(found / "weights.safetensors")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "architecture.json", "network.json"):
        (copy / name).write_bytes((found / name).read_bytes())
    weights["slots.head/3.weight"] = torch.zeros(7, 16)
    weights["slots.head/3.bias"] = torch.zeros(7)
    (copy / "weights.safetensors").write_bytes(pack_tensors(weights))
    with pytest.raises(
        RunError,
        match=r"not those of the network\.json .*head/3\.weight is \[7, 16\], not \[10",
    ):
        inherit(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_of_another_kind_are_refused(found: Path) -> None:
    architecture = read_architecture(str(found))
    for size, message in (
        ({"classes": 3}, "tells 10 classes apart, not 3: inherit with images of the same classes"),
        ({"image_channels": 3}, "does not take 3x8x8 images .*: inherit with images like those"),
    ):
        other = NetworkSpec("found", get_space("nasbench201"), architecture, replace(SIZE, **size))
        with pytest.raises(RunError, match=message) as raised:
            inherited(found, other)
        assert "\n" not in str(raised.value)
    larger = NetworkSpec(
        "found", get_space("nasbench201"), architecture, replace(SIZE, image_size=12)
    )
    assert inherited(found, larger).network.image == (1, 12, 12)


def test_a_search_of_a_part_of_the_channels_is_inherited(tmp_path: Path, fabric: "Fabric") -> None:
    found = search(tiny_search(tmp_path / "found", method="pc-darts", epochs=1, alpha_start=0))
    assert found.macs < found.published_macs
    network = load_network(found.out).network
    assert any(isinstance(module.primitive, Shuffle) for module in network.modules())
    fresh = NetworkSpec("found", get_space("nasbench201"), found.architecture, SIZE)
    module = build(inherited(found.out, fresh), network)
    images = data.load("digits", limit=96, test_limit=40)
    scored = evaluate(fabric, images.task, module, scoring_batches(fabric, images).epoch(0))
    assert scored.score == pytest.approx(found.accuracy)

    options: dict[str, Any] = {"architecture": str(found.out), "epochs": 1, "auxiliary": 0.0}
    options |= {"against": ("hand-made",)}
    own, rival = train(tiny_training(tmp_path / "out", inherit=found.out, **options)).rows
    assert (own.params, own.macs) == (found.params, found.macs)
    assert (own.published_params, own.published_macs) == (
        found.published_params,
        found.published_macs,
    )
    assert rival.macs == rival.published_macs
    trained = load_network(tmp_path / "out")
    assert trained.network == network
    assert abs(rival.macs - own.macs) < abs(own.published_macs - own.macs)
    settings: dict[str, Any] = {"score": "random", "epochs": 0, "macs": 0.9}
    pruned = prune(tiny_pruning(tmp_path / "out", tmp_path / "pruned", **settings))
    assert (pruned.params_before, pruned.macs_before) == (found.params, found.macs)
    assert pruned.macs_after <= 0.9 * found.macs
    assert pruned.macs_after < pruned.published_macs
    left = load_network(tmp_path / "pruned")
    assert left.cost.macs == pruned.macs_after
    assert left.unpruned == network
    assert evaluate_file(EvaluateConfig(file=left.path)).score.headline == pruned.score_after
    for run in (found.out, tmp_path / "out", tmp_path / "pruned"):
        exported = export(ExportConfig(run=run, out=run / "network.onnx", repeats=1))
        assert exported.macs == load_network(run).cost.macs


def test_weights_that_are_not_there_or_damaged_are_refused(tmp_path: Path, found: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "architecture.json", "network.json"):
        (copy / name).write_bytes((found / name).read_bytes())
    with pytest.raises(RunError, match=r"has no weights yet: finish its run with --resume$"):
        inherit(copy, tmp_path / "out")
    content = (found / "weights.safetensors").read_bytes()
    for length in (0, 4, 100, len(content) - 1):
        (copy / "weights.safetensors").write_bytes(content[:length])
        with pytest.raises(RunError, match=r"is damaged .*: restore it, or make") as raised:
            inherit(copy, tmp_path / "out")
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_training_is_no_search_to_inherit_from(tmp_path: Path) -> None:
    train(tiny_training(tmp_path / "a", epochs=1))
    with pytest.raises(RunError, match="is no search: inherit from the folder of a search"):
        train(tiny_training(tmp_path / "b", inherit=tmp_path / "a"))
    assert not (tmp_path / "b").exists()
