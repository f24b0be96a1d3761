import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from archwright import data
from archwright.cost import graph_cost
from archwright.engine import device
from archwright.engine.device import make_fabric
from archwright.engine.networks.network_file import read_graph
from archwright.engine.runs.folder import read_config
from archwright.engine.runs.log import RunLog
from archwright.engine.scoring.evaluate import recalibrate
from archwright.errors import ArchwrightError, ConfigError, DataError, DivergedError, RunError
from archwright.graph.passes.simplification import simplify
from archwright.lowering import GraphModule
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop import run as search_run
from archwright.nas.loop.search import search
from archwright.nas.parameters.ranking import candidate_trees, hierarchical_scores
from archwright.report.page import write_report
from archwright.report.reading.read_run import load_run
from archwright.spaces import Size, get_space, read_architecture, write_architecture
from archwright.spaces.discretise import discretise

from ...engine.helpers import files, interrupted, tiny_search, traces

SIZES: dict[str, dict[str, int]] = {
    "nasbench201": {"channels": 4, "cells": 1},
    "darts": {"channels": 4, "cells": 3},
    "spos": {"channels": 8, "cells": 4},
}


def accuracy_by_hand(network: GraphModule, images: data.ImageData) -> float:
    """Percent of test images, one at a time, without batches, meters or fabric."""
    assert isinstance(images.test, data.MemorySet)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (images.mean, images.std))
    hits = 0
    for pixels, label in zip(images.test.images, images.test.labels, strict=True):
        with torch.no_grad():
            logits, _ = network((pixels.float() / 255 - mean)[None] / std)
        hits += int(logits.argmax()) == int(label)
    return 100 * hits / len(images.test)


def test_a_search_leaves_a_complete_folder(tmp_path: Path) -> None:
    result = search(tiny_search(tmp_path / "out"))
    assert files(result.out) == [
        *("architecture.json", "checkpoints/last.pt", "config.json"),
        *("log.jsonl", "network.json", "weights.safetensors"),
    ]
    records = RunLog(result.out / "log.jsonl").records()
    assert [r["event"] for r in records] == ["start", "epoch", "epoch", "epoch", "result"]
    start, *epochs, end = records
    assert {"kind", "decisions", "params", "versions", "hardware"} <= set(start)
    wanted = {"epoch", "train_loss", "train_top1", "valid_loss", "valid_top1", "lr", "alpha"}
    assert wanted | {"entropy", "architecture", "seconds"} <= set(epochs[0])
    assert [record["epoch"] for record in epochs] == [0, 1, 2]
    assert np.log(5) - 0.01 < epochs[0]["entropy"] <= np.log(5)  # alpha has hardly moved
    assert end["architecture"] == write_architecture(result.architecture)
    assert {**json.loads(json.dumps(result.to_json())), "event": "result"} == end
    config = read_config(result.out)
    assert (config["lr"], config["channels"], config["space"]) == (0.025, 4, "nasbench201")


def test_each_epoch_is_counted_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    original = Bilevel.step

    def step(self: Bilevel, *args: Any) -> None:
        seen.append((self.train_meter.images, self.valid_meter.images))
        original(self, *args)

    monkeypatch.setattr(Bilevel, "step", step)
    search(tiny_search(tmp_path / "out", epochs=2))
    assert seen == 2 * [(0, 0), (16, 16), (32, 32)]


@pytest.mark.parametrize(
    ("method", "asked", "derivation"),
    [
        ("darts", {}, "flat"),
        ("darts", {"derivation": "nested"}, "nested"),
        ("beta-darts", {"derivation": "nested"}, "nested"),
        ("drnas", {}, "flat"),
    ],
)
def test_the_architecture_is_the_strongest_of_the_last_alpha(
    tmp_path: Path, method: str, asked: dict[str, Any], derivation: str
) -> None:
    config = tiny_search(tmp_path / "out", method=method, alpha_lr=0.1, **asked)
    result = search(config)
    last = RunLog(result.out / "log.jsonl").last("epoch")
    assert last is not None
    size = Size(channels=4, cells=1)
    space = get_space("nasbench201")
    supernet = simplify(space.supernet(size), config.simplification)
    strengths = (
        hierarchical_scores(candidate_trees(supernet), last["alpha"])
        if derivation == "nested"
        else last["alpha"]
    )
    found = discretise(space, size, strengths, null=False)
    assert result.architecture == found
    assert read_architecture(str(result.out)) == found
    assert last["architecture"] == write_architecture(found)
    assert last["entropy"] < np.log(5) - 0.01


@pytest.mark.parametrize("name", SIZES)
def test_the_accuracy_is_that_of_the_weights_left_behind(tmp_path: Path, name: str) -> None:
    config = tiny_search(tmp_path / "out", space=name, epochs=1, batch_size=24, **SIZES[name])
    result = search(config)
    images = data.load("digits", limit=96, test_limit=40)
    size = Size(**SIZES[name], image_size=8, image_channels=1)
    network = GraphModule(read_graph(result.out / "network.json"))
    assert network.network.image == size.image
    assert result.params == sum(parameter.numel() for parameter in network.parameters())
    published = graph_cost(get_space(name).discrete(result.architecture, size))
    assert (result.published_params, result.published_macs) == (published.params, published.macs)
    weights = load_file(result.out / "weights.safetensors")
    tracked = {int(v) for k, v in weights.items() if k.endswith("num_batches_tracked")}
    assert tracked == {2}  # one epoch, after the search: not the mixture's statistics
    network.load_state_dict(weights)
    assert accuracy_by_hand(network.eval(), images) == pytest.approx(result.accuracy)
    epochs = [r for r in RunLog(result.out / "log.jsonl").records() if r["event"] == "epoch"]
    assert len(epochs) == 1
    assert epochs[0]["train_loss"] > 0


def test_a_search_in_a_users_space(tmp_path: Path, uneven: str) -> None:
    result = search(tiny_search(tmp_path / "out", space=uneven))
    assert result.architecture.space == "uneven"
    content = Path(uneven).read_bytes()
    assert read_config(result.out)["space"] == Path(uneven).name
    assert read_config(result.out)["space_sha256"] == hashlib.sha256(content).hexdigest()
    again = search(tiny_search(tmp_path / "out", space=uneven, resume=True))
    assert again == result


def test_a_search_learns(tmp_path: Path) -> None:
    result = search(tiny_search(tmp_path / "out", epochs=4, limit=480, lr=0.1))
    first, *_, last = RunLog(result.out / "log.jsonl").records()[1:-1]
    assert last["valid_loss"] < 0.85 * first["valid_loss"]
    assert last["valid_top1"] > 30  # a guess is right in 10


def test_bf16_runs(tmp_path: Path) -> None:
    full = search(tiny_search(tmp_path / "full", epochs=1))
    half = search(tiny_search(tmp_path / "half", epochs=1, precision="bf16-mixed"))
    logs = [RunLog(result.out / "log.jsonl").last("epoch") for result in (full, half)]
    assert logs[0] is not None
    assert logs[1] is not None
    assert logs[0]["train_loss"] != logs[1]["train_loss"]
    assert logs[0]["train_loss"] == pytest.approx(logs[1]["train_loss"], rel=0.05)


def test_statistics_become_the_mean_over_batches() -> None:
    fabric = make_fabric("cpu", "32-true")
    torch.manual_seed(0)
    space, size = get_space("nasbench201"), Size(channels=4, cells=1, image_size=8)
    architecture = read_architecture("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    network = GraphModule(space.discrete(architecture, size)).eval()
    batches = [(torch.randn(5, 3, 8, 8), torch.zeros(5).long()) for _ in range(3)]
    conv, norm = (network.get_submodule(f"slots.stem/{i}") for i in (0, 1))
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean = torch.full((4,), 100.0)
    with torch.no_grad():
        features = [conv(images) for images, _ in batches]
    recalibrate(fabric, network, batches, count=2)
    expected = torch.stack([f.mean(dim=(0, 2, 3)) for f in features[:2]]).mean(dim=0)
    variance = torch.stack([f.var(dim=(0, 2, 3)) for f in features[:2]]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, expected)
    torch.testing.assert_close(norm.running_var, variance)
    assert norm.momentum == 0.1
    assert not network.training


def test_a_report_of_a_run_finished_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_search(tmp_path / "out")
    interrupted(monkeypatch, Bilevel, "step", 5, lambda: search(config))
    unfinished = load_run(config.out)
    assert unfinished.result is None
    assert [e.epoch for e in unfinished.epochs] == [0]
    assert len(unfinished.decisions) == 6
    write_report([config.out], tmp_path / "unfinished.html")
    result = search(tiny_search(tmp_path / "out", resume=True))
    finished = load_run(config.out)
    assert finished.result is not None
    assert finished.result.rows[0].score == result.accuracy
    assert all(set(e.values) >= {"train_loss", "valid_top1", "entropy"} for e in finished.epochs)
    assert all(len(e.alpha) == 6 for e in finished.epochs)
    write_report([config.out], tmp_path / "finished.html")
    assert "nor_conv_3x3" in (tmp_path / "finished.html").read_text()


CHECKS: list[tuple[dict[str, Any], type[ArchwrightError], str]] = [
    ({"space": "nasbench"}, ConfigError, "unknown space 'nasbench': did you mean 'nasbench201'"),
    ({"method": "drats"}, ConfigError, "unknown method 'drats': did you mean 'darts'"),
    ({"device": "gpu"}, ConfigError, "unknown device 'gpu'"),
    ({"data": "digit"}, DataError, "digit"),
    (
        {"batch_size": 49},
        DataError,
        r"a batch of 49 is larger than the 48 images it is drawn from: give --batch-size 48 or l",
    ),
    ({"space": "spos", "channels": 7, "cells": 4}, ConfigError, "channels=7 makes a stage of"),
    ({"space": "spos", "channels": 8, "cells": 4, "batch_size": 1}, ConfigError, "a single value"),
    ({"channels": 10**5}, ConfigError, r"this supernet needs about \d+\.\d GB, and cpu has"),
    ({"lr_min": 1.0}, ConfigError, "--lr-min 1 must not be above --lr 0.025"),
]


@pytest.mark.parametrize(("changed", "error", "message"), CHECKS)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path,
    changed: dict[str, Any],
    error: type[ArchwrightError],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(*args: Any) -> None:
        raise AssertionError("nothing is allocated before all is checked")

    monkeypatch.setattr(search_run, "GraphModule", build)
    with pytest.raises(error, match=message) as raised:
        search(tiny_search(tmp_path / "out", **changed))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_memory_is_shared_by_processes_of_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "available_bytes", lambda where: 1000)
    needed: list[float] = []
    for devices in (1, 2):
        with pytest.raises(ConfigError, match="lower --channels") as raised:
            search(tiny_search(tmp_path / "out", channels=2000, batch_size=2, devices=devices))
        needed.append(float(str(raised.value).split("about ")[1].split()[0]))
    assert not (tmp_path / "out").exists()
    # features are shared out, weights are not: nearly twice as much
    assert 1.8 < needed[1] / needed[0] <= 2.0


def test_a_taken_folder_is_left_alone(tmp_path: Path) -> None:
    search(tiny_search(tmp_path / "out", epochs=1))
    before = traces(tmp_path / "out")
    with pytest.raises(RunError, match="holds a run already"):
        search(tiny_search(tmp_path / "out", epochs=1))
    with pytest.raises(RunError, match=r"was run with alpha_lr=0\.0003, not 0\.1"):
        search(tiny_search(tmp_path / "out", epochs=1, alpha_lr=0.1, resume=True))
    with pytest.raises(RunError, match=r"was run with test_limit=\S+, not 41"):
        search(tiny_search(tmp_path / "out", epochs=1, limit=96, test_limit=41, resume=True))
    assert traces(tmp_path / "out") == before


def test_a_moved_run_knows_where_it_is(tmp_path: Path) -> None:
    first = search(tiny_search(tmp_path / "a", epochs=1))
    (tmp_path / "a").rename(tmp_path / "b")
    again = search(tiny_search(tmp_path / "b", epochs=1, resume=True))
    assert again.out == tmp_path / "b"
    assert (again.accuracy, again.architecture) == (first.accuracy, first.architecture)


def test_a_space_that_has_changed_is_refused(
    tmp_path: Path, uneven: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_search(tmp_path / "out", space=uneven)
    interrupted(monkeypatch, Bilevel, "step", 5, lambda: search(config))
    changed = tmp_path / "elsewhere"
    changed.mkdir()
    other = changed / "uneven.py"
    other.write_text(Path(uneven).read_text().replace("op.conv(1)", "op.conv(3)"))
    with pytest.raises(RunError, match=r"space_sha256|was edited|is another"):
        search(tiny_search(tmp_path / "out", space=str(other), resume=True))


def test_a_search_that_diverges_keeps_its_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Bilevel.step
    calls: list[int] = []

    def step(self: Bilevel, weights: Any, alpha: Any, progress: Any) -> None:
        calls.append(progress.epoch)
        if progress.fraction > 0.5:
            weights = (weights[0] * float("nan"), weights[1])
        original(self, weights, alpha, progress)

    monkeypatch.setattr(Bilevel, "step", step)
    message = "not finite in epoch 2, step 3, on the weights' images: lower the learning rate"
    out = tmp_path / "out"
    with pytest.raises(DivergedError, match=message):
        search(tiny_search(out, checkpoint_seconds=0))
    assert calls == [0, 0, 0, 1, 1, 1]
    left = (out / "log.jsonl").read_bytes()
    with pytest.raises(DivergedError, match=message):
        search(tiny_search(out, checkpoint_seconds=0, resume=True))
    assert calls[6:] == [1]  # from the last good step on
    assert (out / "log.jsonl").read_bytes() == left
    kept = ["checkpoints/last.pt", "checkpoints/previous.pt"]
    assert files(out) == [*kept, "config.json", "log.jsonl"]
    state = torch.load(out / "checkpoints" / "last.pt", weights_only=True)
    assert all(_finite(value) for value in state["network"].values())
    # and with the cause gone it ends as if nothing had been
    monkeypatch.setattr(Bilevel, "step", original)
    search(tiny_search(out, resume=True))
    search(tiny_search(tmp_path / "straight"))
    assert traces(out) == traces(tmp_path / "straight")


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def test_a_rate_far_too_high_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"not finite in epoch \d, step \d"):
        search(tiny_search(tmp_path / "out", lr=1e38, clip=1e38, epochs=3))
