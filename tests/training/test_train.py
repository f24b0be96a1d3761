import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from archwright import data
from archwright.engine.runs.checkpoint import load_checkpoint
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.engine.runs.log import RunLog
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import (
    ArchwrightError,
    ConfigError,
    DataError,
    DivergedError,
    GenotypeError,
    RunError,
)
from archwright.lowering import GraphModule
from archwright.report.page import write_report
from archwright.report.reading.read_run import load_run
from archwright.spaces import Size, get_space, read_architecture
from archwright.tasks import CLASSIFICATION
from archwright.training.network_spec import NetworkSpec, build
from archwright.training.run import train
from archwright.training.trainer import Trainer

from ..engine.helpers import CELL, files, tiny_training, traces

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BLOCK = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
SIZE = Size(channels=4, cells=1, image_size=8, image_channels=1)


def discrete(text: str = CELL, size: Size = SIZE) -> GraphModule:
    return GraphModule(get_space("nasbench201").discrete(read_architecture(text), size))


def test_a_training_leaves_a_complete_folder(tmp_path: Path) -> None:
    result = train(tiny_training(tmp_path / "out", against=("hand-made", "random")))
    assert files(result.out) == [
        *("architecture.json", "checkpoints/best.pt", "checkpoints/last.pt", "config.json"),
        *("log.jsonl", "network.json", "weights.safetensors"),
    ]
    records = RunLog(result.out / "log.jsonl").records()
    assert [r["event"] for r in records] == ["start", *["epoch"] * 9, "result"]
    names = [(r["name"], r["epoch"]) for r in records[1:-1]]
    assert names == [(n, e) for n in ("found", "hand-made", "random") for e in range(3)]
    wanted = {"train_loss", "train_top1", "test_loss", "test_top1", "test_top5", "lr", "seconds"}
    assert wanted <= set(records[1])
    assert {**json.loads(json.dumps(result.to_json())), "event": "result"} == records[-1]
    assert [row.name for row in result.rows] == ["found", "hand-made", "random"]
    for row in result.rows:
        tops = [r["test_top1"] for r in records[1:-1] if r["name"] == row.name]
        assert row.score == pytest.approx(tops[-1])
        assert row.best == pytest.approx(max(tops))
        assert row.scores["top1"] <= row.scores["top5"]
    assert read_architecture(str(result.out)) == read_architecture(CELL)
    run = load_run(result.out)
    assert run.result is not None
    assert [row.channels for row in run.result.rows] == [row.channels for row in result.rows]
    write_report([result.out], tmp_path / "report.html")


def test_it_learns(tmp_path: Path) -> None:
    config = tiny_training(
        tmp_path / "out",
        **{"channels": 12, "epochs": 30, "limit": 64, "lr": 0.1, "weight_decay": 0.0},
        **{"cutout": 0, "drop_path": 0.0, "auxiliary": 0.0, "architecture": BLOCK},
    )
    train(config)
    last = RunLog(config.out / "log.jsonl").last("epoch")
    assert last is not None
    assert last["train_top1"] > 95
    assert last["train_loss"] < 0.3


def test_best_and_last_checkpoints_and_weights_are_those_scored(
    tmp_path: Path, fabric: "Fabric"
) -> None:
    config = tiny_training(tmp_path / "out", epochs=4, lr=0.1, ema=0.5, auxiliary=0.4)
    (row,) = train(config).rows
    images = data.load("digits", limit=48, test_limit=40)
    folder = RunFolder(config.out)

    def score(state: dict[str, Any]) -> float | None:
        network = discrete()
        own = {k: v for k, v in state.items() if not k.startswith("slots.auxiliary/")}
        network.load_state_dict(own)
        return evaluate(
            fabric, CLASSIFICATION, network, scoring_batches(fabric, images).epoch(0)
        ).score

    best, last = (load_checkpoint(folder.checkpoint(name)) for name in ("best", "last"))
    assert score(best["network"]) == pytest.approx(row.best)
    assert best["top1"] == pytest.approx(row.best)
    tops = [r["test_top1"] for r in folder.log.records() if r["event"] == "epoch"]
    assert best["epoch"] == tops.index(max(tops))
    averaged = last["trainer"]["average"]
    state = {k.removeprefix("module."): v for k, v in averaged.items() if k != "n_averaged"}
    assert score(state) == pytest.approx(row.score)
    weights = load_file(folder.weights)
    assert score(weights) == pytest.approx(row.score)
    assert all(torch.equal(weights[name], state[name]) for name in weights)
    assert any(not torch.equal(weights[name], last["trainer"]["network"][name]) for name in weights)


def test_no_more_than_the_image_is_cut_out(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^--cutout 9 is larger than the images: give at most 8, or 0 for none$",
    ):
        train(tiny_training(tmp_path / "out", cutout=9))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("given", "expected"), [(None, 4), (0, 0), (3, 3)])
def test_cutout_is_half_the_image_unless_given(
    tmp_path: Path, given: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    original = Trainer.step

    def step(self: Trainer, images: torch.Tensor, *rest: Any) -> None:
        seen.append(images)
        original(self, images, *rest)

    monkeypatch.setattr(Trainer, "step", step)
    train(tiny_training(tmp_path / "out", epochs=1, cutout=given))
    assert read_config(tmp_path / "out")["cutout"] == expected
    zeros = torch.cat(seen).eq(0).sum(dim=(1, 2, 3))
    assert int(zeros.max()) == expected**2


def test_drop_path_rises_from_nothing_and_the_rate_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []
    original = Trainer.step

    def step(self: Trainer, *args: Any) -> None:
        original(self, *args)
        seen.append((self.network.drop_path, self.optimiser.param_groups[0]["lr"]))

    monkeypatch.setattr(Trainer, "step", step)
    train(tiny_training(tmp_path / "out", epochs=2, limit=32, drop_path=0.4, lr=0.1, lr_min=0.02))
    drops, rates = zip(*seen, strict=True)
    assert drops == pytest.approx([0, 0.1, 0.2, 0.3])
    assert rates == pytest.approx([0.1, 0.088284, 0.06, 0.031716], abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_step_is_sgd_on_the_smoothed_loss_of_both_heads(
    fabric: "Fabric", smoothing: float
) -> None:
    config = tiny_training(
        Path("out"), label_smoothing=smoothing, auxiliary=0.4, drop_path=0.0, clip=1e9, lr=0.1
    )
    spec = NetworkSpec("found", get_space("nasbench201"), read_architecture(CELL), SIZE)
    torch.manual_seed(0)
    trainer = Trainer(fabric, CLASSIFICATION, build(spec, spec.trained(auxiliary=True)), config)
    images, labels = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 4, 5])
    start = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}

    def loss(logits: torch.Tensor) -> torch.Tensor:
        target = torch.full((6, 10), smoothing / 10)
        target[range(6), labels] += 1 - smoothing
        return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()

    logits, auxiliary = trainer.network(images)
    assert auxiliary is not None
    parameters = dict(trainer.network.named_parameters())
    gradients = torch.autograd.grad(loss(logits) + 0.4 * loss(auxiliary), [*parameters.values()])
    expected = {
        name: start[name] - 0.1 * (g + config.weight_decay * start[name])
        for (name, g) in zip(parameters, gradients, strict=True)
    }
    trainer.step(images, labels, 0.0)
    for name, value in trainer.network.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=1e-4, atol=1e-6)
    assert trainer.meter.loss == pytest.approx(loss(logits).item(), rel=1e-5)


def test_the_average_follows_at_its_decay(fabric: "Fabric") -> None:
    trainer = Trainer(fabric, CLASSIFICATION, discrete(), tiny_training(Path("out"), ema=0.75))
    name = "slots.stem/0.weight"
    expected: torch.Tensor | None = None
    for _ in range(3):
        trainer.step(torch.randn(4, 1, 8, 8), torch.arange(4), 0.0)
        own = trainer.network.state_dict()[name]
        expected = own.clone() if expected is None else 0.75 * expected + 0.25 * own
    assert trainer.eval_network is not trainer.network
    assert expected is not None
    torch.testing.assert_close(trainer.eval_network.state_dict()[name], expected)


def test_bf16_runs(tmp_path: Path) -> None:
    losses: list[float] = []
    for precision in ("32-true", "bf16-mixed"):
        config = tiny_training(tmp_path / precision, epochs=1, precision=precision)
        train(config)
        last = RunLog(config.out / "log.jsonl").last("epoch")
        assert last is not None
        losses.append(last["train_loss"])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


# what is inherited


CHECKS: list[tuple[dict[str, Any], type[ArchwrightError], str]] = [
    ({"architecture": "darts-v3"}, GenotypeError, "unknown architecture 'darts-v3'"),
    ({"batch_size": 49}, DataError, "a batch of 49 is larger than the 48 images"),
    ({"batch_size": 1}, ConfigError, "auxiliary/.* a single value a channel: give at least 2"),
    ({"channels": 10**5}, ConfigError, r"the found network needs about \d+\.\d GB, and cpu has"),
    ({"device": "tpu"}, ConfigError, "unknown device 'tpu'"),
    ({"inherit": Path("nowhere")}, RunError, "no run and no checkpoint at nowhere"),
]


@pytest.mark.parametrize(("changed", "error", "message"), CHECKS)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path, changed: dict[str, Any], error: type[ArchwrightError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        train(tiny_training(tmp_path / "out", **changed))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_no_auxiliary_head_fits_on_a_pixel(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    image = pytest.importorskip("PIL.Image")
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for i in range(10):
            image.new("L", (2, 2), 20 * i).save(folder / label / f"{i}.png")
    settings: dict[str, Any] = {"data": str(folder), "limit": None, "test_limit": None}
    with pytest.raises(ConfigError, match="no auxiliary head fits on 1x1 pixels"):
        train(tiny_training(tmp_path / "out", batch_size=4, **settings))
    assert not (tmp_path / "out").exists()


def test_a_taken_folder_is_left_alone(tmp_path: Path) -> None:
    train(tiny_training(tmp_path / "out", epochs=1))
    before = traces(tmp_path / "out")
    with pytest.raises(RunError, match="holds a run already"):
        train(tiny_training(tmp_path / "out", epochs=1))
    other = CELL.replace("nor_conv_1x1", "skip_connect")
    for changed, field in (({"architecture": other}, "architecture"), ({"cutout": 2}, "cutout")):
        with pytest.raises(RunError, match=f"was run with {field}="):
            train(tiny_training(tmp_path / "out", epochs=1, resume=True, **changed))
    # what comes to the same is the same
    train(tiny_training(tmp_path / "out", epochs=1, resume=True, cutout=4))
    assert traces(tmp_path / "out") == before


def test_a_training_that_diverges_keeps_its_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.step
    calls: list[float] = []

    def step(self: Trainer, images: torch.Tensor, labels: torch.Tensor, progress: float) -> None:
        calls.append(progress)
        original(self, images * (float("nan") if progress > 0.5 else 1), labels, progress)

    monkeypatch.setattr(Trainer, "step", step)
    message = "in epoch 2, step 3, on the images of the found network: lower the learning rate"
    out = tmp_path / "out"
    with pytest.raises(DivergedError, match=message):
        train(tiny_training(out, checkpoint_seconds=0))
    left = (out / "log.jsonl").read_bytes()
    with pytest.raises(DivergedError, match=message):
        train(tiny_training(out, checkpoint_seconds=0, resume=True))
    assert len(calls) == 6 + 1
    assert (out / "log.jsonl").read_bytes() == left
    assert not (out / "weights.safetensors").exists()
    monkeypatch.setattr(Trainer, "step", original)
    train(tiny_training(out, resume=True))
    train(tiny_training(tmp_path / "straight"))
    assert traces(out) == traces(tmp_path / "straight")


def test_a_score_that_is_not_finite_is_left_out_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = GraphModule.forward

    def forward(self: GraphModule, *args: Any) -> Any:
        logits, auxiliary = original(self, *args)
        return (logits if self.training else logits * float("inf")), auxiliary

    monkeypatch.setattr(GraphModule, "forward", forward)
    train(tiny_training(tmp_path / "out", epochs=1))
    last = RunLog(tmp_path / "out" / "log.jsonl").last("epoch")
    assert last is not None
    assert last["test_loss"] is None
    assert last["train_loss"] > 0
