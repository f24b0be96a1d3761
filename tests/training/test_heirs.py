"""Trainings that start from the weights of a search."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from archwright import data
from archwright.deployment.config import EvaluateConfig
from archwright.deployment.evaluate import evaluate as evaluate_file
from archwright.engine.evaluate import evaluate, scoring_batches
from archwright.engine.folder import RunFolder, read_config
from archwright.errors import RunError
from archwright.io.tensors import pack_tensors
from archwright.nas.loop.search import search
from archwright.spaces import Size, get_space, read_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.network_spec import NetworkSpec, build
from archwright.training.run import train

from ..engine.helpers import CELL, tiny_search, tiny_training

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
    entrant = NetworkSpec(
        "found", get_space("nasbench201"), read_architecture(str(found)), SIZE, inherit=found
    )
    module = build(entrant, entrant.trained(auxiliary=auxiliary))
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
    assert read_config(heir)["inherited"]["simplify"] == "all"
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
        ({"architecture": CELL}, "is of another architecture: only"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, found: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        inherit(found, tmp_path / "out", **changed)
    assert not (tmp_path / "out").exists()


def test_weights_of_another_number_of_classes_are_refused(tmp_path: Path, found: Path) -> None:
    weights = load_file(found / "weights.safetensors")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "architecture.json"):
        (copy / name).write_bytes((found / name).read_bytes())
    weights["slots.head/3.weight"] = torch.zeros(7, 16)
    weights["slots.head/3.bias"] = torch.zeros(7)
    (copy / "weights.safetensors").write_bytes(pack_tensors(weights))
    with pytest.raises(
        RunError, match=r"head/3\.\w+ is \[7.* there and \[10.* here; inherit with images of"
    ):
        inherit(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_of_a_part_of_the_channels_are_refused(tmp_path: Path) -> None:
    search(tiny_search(tmp_path / "found", method="pc-darts", epochs=1, alpha_start=0))
    message = (
        r"one of 4 parts of the channels \(pc-darts\), so its weights are .*: train it from fre"
    )
    with pytest.raises(RunError, match=message) as raised:
        inherit(tmp_path / "found", tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    settings: dict[str, Any] = {"method": "pc-darts", "partial": 1, "alpha_start": 0}
    search(tiny_search(tmp_path / "all", **settings, epochs=1))
    inherit(tmp_path / "all", tmp_path / "out", epochs=1)


def test_weights_that_are_not_there_or_damaged_are_refused(tmp_path: Path, found: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "architecture.json"):
        (copy / name).write_bytes((found / name).read_bytes())
    with pytest.raises(RunError, match=r"no weights at .*: finish the search with --resume"):
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
