"""Every file with a network can be scored, and the score of a run equals that of its training."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import archwright as aw
from archwright.deployment.config import EvaluateConfig
from archwright.deployment.evaluate import EvaluateResult, evaluate
from archwright.engine.runs.folder import RunFolder
from archwright.errors import ConfigError, DataError, RunError
from archwright.pruning.config import PruneConfig
from archwright.pruning.run import prune
from archwright.spaces import read_architecture

from .helpers import changed, copy, images


def scored(file: Path, **options: Any) -> EvaluateResult:
    return evaluate(EvaluateConfig(file=file, device="cpu", **options))


def test_a_training_is_scored_as_it_scored_itself(trained: Path) -> None:
    folder = RunFolder(trained)
    epochs = [r for r in folder.log.records() if r["event"] == "epoch"]
    for file in (trained, folder.weights, folder.checkpoint("last")):
        result = scored(file)
        assert result.score.loss == epochs[-1]["test_loss"]
        assert result.score.metrics["top1"] == round(epochs[-1]["test_top1"], 4)
        assert result.score.metrics["top5"] == round(epochs[-1]["test_top5"], 4)
        assert (result.kind, result.weights, result.score.images) == ("train", "float32", 96)
    best = max(epochs, key=lambda record: record["test_top1"])
    result = scored(folder.checkpoint("best"))
    assert (result.kind, result.score.loss) == ("train", best["test_loss"])


def test_a_search_is_scored_with_the_weights_that_it_handed_over(
    searched: Callable[[str], Path],
) -> None:
    for method in ("darts", "pc-darts"):
        folder = searched(method)
        finished = RunFolder(folder).result()
        assert finished is not None
        result = scored(folder)
        assert (result.kind, result.score.metrics["top1"]) == ("search", finished["accuracy"])
        assert result.architecture == finished["architecture"]


def test_a_pruning_is_scored_finished_or_not(pruned: Path) -> None:
    finished = RunFolder(pruned).result()
    assert finished is not None
    assert scored(pruned).score.headline == finished["top1_after"]
    last = scored(RunFolder(pruned).checkpoint("last"))
    assert (last.kind, last.score.headline) == ("prune", finished["top1_after"])
    assert last.architecture == scored(pruned).architecture


@pytest.mark.parametrize("dropped", [False, True])
def test_gates_are_there_unless_they_were_dropped(
    trained: Path, tmp_path: Path, dropped: bool
) -> None:
    settings: dict[str, Any] = {"macs": 0.8, "epochs": 1, "batch_size": 32, "device": "cpu"}
    settings |= {"score": "gate", "drop_gates": dropped, "gate_epochs": 1}
    folder = RunFolder(prune(PruneConfig(run=trained, out=tmp_path / "run", **settings)).out)
    last, whole = scored(folder.checkpoint("last")), scored(folder.path)
    assert (last.score, last.architecture) == (whole.score, whole.architecture)
    assert ("gated=yes" in last.architecture) != dropped


def test_other_images_are_normalised_as_the_network_learned(trained: Path) -> None:
    own, others = scored(trained), scored(trained, data="digits", test_limit=96)
    # all training images have another mean than the few that were trained on
    assert others.score.loss == pytest.approx(own.score.loss, abs=1e-4)
    assert scored(trained, test_limit=10).score.images == 10
    assert scored(trained, data="digits").score.images == 359


def test_an_exported_file_has_a_precision_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--precision is of no use with an exported file: leave"):
        evaluate(EvaluateConfig(file=tmp_path / "a.onnx", precision="bf16-mixed"))


def test_a_file_runs_on_the_device_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(path: Path, **options: Any) -> None:
        asked.append(options["device"])
        raise ConfigError("there is none here")

    def second(*given: object) -> SimpleNamespace:
        return SimpleNamespace(device=torch.device("cuda", 1))

    monkeypatch.setattr("archwright.deployment.evaluate.open_exported", note)
    with pytest.raises(ConfigError, match="there is none here"):
        evaluate(EvaluateConfig(file=tmp_path / "a.onnx"))
    monkeypatch.setattr("archwright.deployment.evaluate.make_fabric", second)
    with pytest.raises(ConfigError, match="there is none here"):
        evaluate(EvaluateConfig(file=tmp_path / "a.onnx", device="cuda:1"))
    assert asked == ["cpu", "cuda:1"]


def test_the_result_as_json(trained: Path) -> None:
    result = aw.evaluate(aw.EvaluateConfig(file=trained, device="cpu"))
    content = json.loads(json.dumps(result.to_json()))
    assert set(content) == {
        *("file", "task", "kind", "weights", "architecture", "data", "data_summary"),
        *("top1", "top5", "loss", "images", "seconds"),
    }
    assert content["data"] == "scikit-learn digits"
    assert content["data_summary"]["line"].startswith("scikit-learn digits: 10 classes")


@pytest.mark.parametrize(
    ("classes", "mode", "message"),
    [
        ("01", "L", "is for 10 classes, and odd has 2: give --data with images like those of its"),
        ("0123456789", "RGB", "is for 1 channels per image, and odd has 3: give --data with"),
        ("012345678x", "L", "calls class 9 '9', and odd 'x': give --data with images"),
    ],
)
def test_images_of_another_kind_are_refused(
    trained: Path, tmp_path: Path, classes: str, mode: str, message: str
) -> None:
    folder = images(tmp_path / "odd", list(classes), mode)
    with pytest.raises(DataError, match=message) as caught:
        scored(trained, data=str(folder))
    assert str(caught.value).startswith(str(trained))


def test_a_file_without_a_network_is_refused(
    trained: Path, searched: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"no run and no checkpoint at .*gone: give the folder"):
        scored(tmp_path / "gone")
    with pytest.raises(RunError, match=r"is no run folder: it has no config\.json"):
        scored(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(RunError, match=r"notes\.txt is no checkpoint in a run folder: give the"):
        scored(tmp_path / "notes.txt")
    with pytest.raises(RunError, match=r"log\.jsonl is no checkpoint in a run folder"):
        scored(trained / "log.jsonl")
    with pytest.raises(RunError, match=r"no file at .*gone\.onnx: archwright export writes one"):
        scored(tmp_path / "gone.onnx")
    last = RunFolder(searched("darts")).checkpoint("last")
    with pytest.raises(RunError, match=r"holds a supernet, whose network is derived at the end"):
        scored(last)


def test_a_run_that_is_not_finished_has_no_network_yet(
    trained: Path, searched: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy(trained, tmp_path / "run")
    folder.weights.unlink()
    with pytest.raises(RunError, match="run has no weights yet: finish its run with --resume, or"):
        scored(folder.path)
    assert scored(folder.checkpoint("best")).kind == "train"
    folder = copy(searched("darts"), tmp_path / "search")
    folder.weights.unlink()
    with pytest.raises(RunError, match=r"h has no weights yet: finish its run with --resume$"):
        scored(folder.path)


def test_a_checkpoint_of_another_network_is_refused(
    trained: Path, pruned: Path, tmp_path: Path
) -> None:
    gated = changed(pruned, tmp_path / "gated", stage="gates")
    with pytest.raises(RunError, match=r"last\.pt holds a network that is not pruned yet: finish"):
        scored(gated)
    rival = changed(trained, tmp_path / "rival", rows=[{"name": "found"}])
    with pytest.raises(RunError, match=r"last\.pt holds a network that the run's own is compared"):
        scored(rival)
    between = changed(trained, tmp_path / "between", trainer=None)
    with pytest.raises(RunError, match=r"last\.pt holds no network by itself: give the folder of"):
        scored(between)


def test_damage_is_one_line(trained: Path, tmp_path: Path) -> None:
    folder = copy(trained, tmp_path / "run")
    content = folder.weights.read_bytes()
    folder.weights.write_bytes(content[:100])
    with pytest.raises(RunError, match=r"weights\.safetensors is damaged \(.*\): restore it"):
        scored(folder.path)
    folder.checkpoint("best").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"best\.pt is cut short or damaged"):
        scored(folder.checkpoint("best"))
    folder.weights.write_bytes(content)
    other = read_architecture("darts-v1").to_json()
    folder.architecture.write_text(json.dumps(other))
    config = json.loads(folder.config.read_text())
    with pytest.raises(RunError, match=r"is of another architecture than config\.json beside it"):
        scored(folder.path)
    folder.architecture.write_bytes(RunFolder(trained).architecture.read_bytes())
    graph = folder.network.read_text()
    for text, message in (
        (graph.replace('"kernel": 3', '"kernel": 5'), r"network\.json of the run: slots.* is \["),
        (graph.replace('"slot": "stem', '"slot": "root'), "only network.json has slots.root"),
        (
            graph.replace('"image": [1, 8, 8]', '"image": [1, 9, 9]'),
            "is of images 1x9x9, and",
        ),
        (
            graph.replace('"c_in": 4', '"c_in": 5'),
            r"network\.json: steps 2 .*5 -> 4 channels do not div",
        ),
        (graph[:100], r"network\.json is damaged: it is no JSON; restore the file"),
    ):
        folder.network.write_text(text)
        with pytest.raises(RunError, match=message) as caught:
            scored(folder.path)
        assert "\n" not in str(caught.value)
    folder.network.unlink()
    with pytest.raises(RunError, match=r"no network at .*network\.json: finish the run with"):
        scored(folder.path)
    folder.network.write_text(graph)
    folder.config.write_text(json.dumps({**config, "mean": None}))
    with pytest.raises(RunError, match=r"config\.json does not say its mean: make the run again"):
        scored(folder.path)
    folder.config.write_text(json.dumps({**config, "kind": "sweep"}))
    with pytest.raises(
        RunError, match="the run of sweep, which leaves no network: give the folder"
    ):
        scored(folder.path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_limit": 0}, "--test-limit must be above 0, got 0"),
        ({"precision": "16"}, "unknown precision '16'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(file=Path("run"), **options)
