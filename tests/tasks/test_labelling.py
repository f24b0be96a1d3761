"""A task of another package goes through search, training, scoring and pruning unedited."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from archwright import data
from archwright.backends import LogitsModule, Session, max_error, to_onnx
from archwright.deployment.score import score_exported, score_network
from archwright.engine import setup
from archwright.engine.networks.trained import TrainedNetwork
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import RunFolder, open_run
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import ConfigError
from archwright.graph.passes.rewire import deletable
from archwright.lowering import GraphModule
from archwright.nas.loop.search import search
from archwright.pruning.baselines.operations import prune_edges
from archwright.pruning.select import Target
from archwright.pruning.stages import Stages
from archwright.spaces import get_space, read_architecture
from archwright.tasks import Task
from archwright.training.loop import Loop, augmented_batches
from archwright.training.network_spec import NetworkSpec
from archwright.training.run import train
from archwright.training.trainer import Trainer

from ..engine.helpers import CELL, tiny_search, tiny_training
from ..pruning.helpers import tiny_pruning
from .toy_images import IGNORE, LabelledPixels, toy_images

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@pytest.fixture
def images(labelling: Task, monkeypatch: pytest.MonkeyPatch) -> data.ImageData:
    """The images, which a run of any `data` reads."""
    images = toy_images(labelling)
    monkeypatch.setattr(setup.data, "load", lambda name, **options: images)
    return images


def spec(images: data.ImageData) -> NetworkSpec:
    space = replace(get_space("nasbench201"), task=images.task)
    size = setup.size_for(images, 8, 1)
    return NetworkSpec("found", space, read_architecture(CELL), size)


def checkpointer(fabric: "Fabric", out: Path) -> Checkpointer:
    return Checkpointer(open_run(out, "train", {}, resume=False), fabric, 60.0)


def trained(fabric: "Fabric", images: data.ImageData, out: Path, **changes: Any) -> GraphModule:
    torch.manual_seed(0)
    config = tiny_training(out, auxiliary=0.0, epochs=6, lr=0.2, cutout=0, drop_path=0.0, **changes)
    trainer = Trainer(fabric, images.task, GraphModule(spec(images).network), config)
    batches = augmented_batches(fabric, config, images)
    Loop(fabric=fabric, checkpointer=checkpointer(fabric, out), images=images, batches=batches).run(
        "toy", trainer
    )
    return trainer.eval_network


def by_hand(network: GraphModule, images: data.ImageData) -> float:
    """Mean IoU of all test pixels that are labelled, in plain Python."""
    assert isinstance(images.test, LabelledPixels)
    pixels = (images.test.images.float() / 255 - 0.5) / 0.3
    network.eval()
    with torch.no_grad():
        scores = network(pixels)[0]
    factor = pixels.shape[2] // scores.shape[2]
    found = scores.argmax(1).repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    overlaps: list[float] = []
    for label in range(3):
        own, other = images.test.labels == label, found == label
        other = other & (images.test.labels != IGNORE)
        overlaps.append(float((own & other).sum() / (own | other).sum()))
    return 100 * sum(overlaps) / 3


def test_it_is_trained_and_scored(fabric: "Fabric", images: data.ImageData, tmp_path: Path) -> None:
    network = trained(fabric, images, tmp_path / "out")
    records = [r for r in RunFolder(tmp_path / "out").log.records() if r["event"] == "epoch"]
    assert [name for name in records[0] if "train" in name or "test" in name] == [
        *("train_loss", "train_miou", "test_loss", "test_miou", "test_pixels"),
    ]
    score = score_network(fabric, network, images)
    assert score.headline == round(records[-1]["test_miou"], 4)
    assert score.headline == pytest.approx(by_hand(network, images), abs=1e-3)
    assert records[-1]["test_miou"] > records[0]["test_miou"] + 10
    assert score.images == 16


def test_a_mean_of_batches_is_another_number(
    fabric: "Fabric", images: data.ImageData, tmp_path: Path
) -> None:
    network = GraphModule(spec(images).network)
    (batch,) = scoring_batches(fabric, images).epoch(0)
    parts = [(batch[0][i : i + 1], batch[1][i : i + 1]) for i in range(16)]
    whole, cut = (evaluate(fabric, images.task, network, b) for b in ([batch], parts))
    assert cut.score == pytest.approx(whole.score)
    each = [evaluate(fabric, images.task, network, [part]).score or 0.0 for part in parts]
    assert sum(each) / 16 != pytest.approx(whole.score)


def test_it_is_searched(images: data.ImageData, tmp_path: Path) -> None:
    """With every part of the loop that looks at outputs or targets."""
    settings: dict[str, Any] = {"method": "diffgraph", "alpha_start": 0, "draws": 2, "epochs": 2}
    found = search(tiny_search(tmp_path / "out", **settings, pareto=2, finalists=2))
    records = RunFolder(tmp_path / "out").log.records()
    epoch = next(r for r in records if r["event"] == "epoch")
    assert {"train_miou", "valid_miou", "gap", "eigenvalue"} <= set(epoch)
    assert epoch["eigenvalue"] is not None
    assert 0 < found.accuracy <= 100
    assert json.loads((tmp_path / "out" / "config.json").read_text())["task"] == "pixel-labelling"


@pytest.mark.parametrize("method", ["darts-2nd", "random-ws"])
def test_other_methods_search_it(images: data.ImageData, tmp_path: Path, method: str) -> None:
    options = {"samples": 2} if method == "random-ws" else {}
    search(tiny_search(tmp_path / "out", method=method, epochs=1, **options))


def test_it_is_pruned(fabric: "Fabric", images: data.ImageData, tmp_path: Path) -> None:
    whole = trained(fabric, images, tmp_path / "trained")
    one = spec(images)
    source = TrainedNetwork(
        path=tmp_path / "trained",
        folder=RunFolder(tmp_path / "trained"),
        settings={},
        space=one.space,
        architecture=one.architecture,
        size=one.size,
        network=one.network,
        state=whole.state_dict(),
    )
    assert "labels" not in {step for step, _ in deletable(one.network)}
    before = score_network(fabric, whole, images).headline
    target = Target(name="--nodes", unit="nodes", limit=3, cost=lambda p: 6.0 - len(p.deleted))
    for score in ("loss", "taylor", "gate"):
        options: dict[str, Any] = {"score": score, "distill": 0.5, "epochs": 1, "cutout": 0}
        config = tiny_pruning(tmp_path / "trained", tmp_path / score, data="toy", **options)
        stages = Stages(fabric=fabric, config=config, source=source, images=images)
        assert stages.score(stages.unpruned()) == before
        held = checkpointer(fabric, tmp_path / score)
        gated = stages.learn_gates(held) if score == "gate" else stages.gated()
        cut = stages.cut(gated, [target])
        assert len(cut.pruning.deleted) == 3
        assert any(cut.importance.values())
        tuned = stages.finetune(cut.network, held)
        assert 0 < stages.score(tuned) <= 100
    batches = list(scoring_batches(fabric, images).epoch(0))
    pruned, removed = prune_edges(images.task, whole, 0.9 * one.macs, batches)
    assert removed
    assert 0 < score_network(fabric, pruned, images).headline <= 100


def test_it_is_exported(fabric: "Fabric", images: data.ImageData, tmp_path: Path) -> None:
    network = trained(fabric, images, tmp_path / "out").eval()
    session = Session(to_onnx(network))
    assert max_error(LogitsModule(network), session, network.network.image) < 1e-5
    exported = score_exported(fabric, session, images)
    assert exported.headline == pytest.approx(score_network(fabric, network, images).headline)


def test_several_maps_reach_the_loss_as_they_are(
    fabric: "Fabric", images: data.ImageData, tmp_path: Path
) -> None:
    """A network that gives a tuple, and a loss of its parts."""

    class TwoMaps(GraphModule):
        def forward(self, images: Tensor, mixture: object = None) -> Any:
            scores, _ = super().forward(images)
            return (scores, scores.mean((2, 3))), None

    kind = type(images.task)

    def loss(self: Task, outputs: Any, targets: Any) -> Tensor:
        assert [one.dim() for one in outputs] == [4, 2]
        return kind.loss(self, outputs[0], targets) + outputs[1].square().mean()

    def accumulator(self: Task) -> Any:
        own = kind.accumulator(self)
        update = own.update
        own.update = lambda outputs, targets: update(outputs[0], targets)
        return own

    task: Task = type("TwoMapsTask", (kind,), {"loss": loss, "accumulator": accumulator})()
    trainer = Trainer(
        *(fabric, task, TwoMaps(spec(images).network)),
        tiny_training(tmp_path / "out", auxiliary=0.0),
    )
    (x, targets) = next(iter(scoring_batches(fabric, images).epoch(0)))
    trainer.step(x, targets, 0.0)
    assert trainer.meter.images == 16
    assert set(evaluate(fabric, task, trainer.network, [(x, targets)]).values()) == {
        *("miou", "pixels"),
    }


def test_there_is_no_auxiliary_head(images: data.ImageData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pixel-labelling has no auxiliary head: leave it out"):
        train(tiny_training(tmp_path / "out", auxiliary=0.4))
    assert not (tmp_path / "out").exists()


def test_a_training_says_its_own_metric(images: data.ImageData, tmp_path: Path) -> None:
    config = tiny_training(tmp_path / "out", auxiliary=0.0, epochs=1)
    result = train(config)
    (row,) = result.to_json()["rows"]
    assert {"miou", "pixels", "best_miou"} <= set(row)
    assert "top1" not in row
    assert train(replace(config, resume=True)).rows == result.rows
