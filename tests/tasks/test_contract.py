"""Every task keeps the contract: those of the package, and one of another package."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archwright import tasks
from archwright.errors import ConfigError
from archwright.graph import verify
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.spaces import SPACES, Size, get_space, reference_architecture
from archwright.tasks import Outputs, Targets, Task, get_task, join_outputs, known_tasks, move

SIZES = {
    "nasbench201": Size(channels=4, cells=1, classes=3, image_size=16, image_channels=1),
    "darts": Size(channels=4, cells=3, classes=3, image_size=16, image_channels=1),
    "spos": Size(channels=16, cells=4, classes=3, image_size=64, image_channels=1),
}
NAMES = [*tasks.TASKS, "pixel-labelling"]


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest, installed: None) -> Task:
    return get_task(request.param)


def images(count: int = 6, size: int = 16) -> Tensor:
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))


def network(task: Task, space: str = "nasbench201") -> GraphModule:
    torch.manual_seed(1)
    declared, size = replace(get_space(space), task=task), SIZES[space]
    return GraphModule(declared.discrete(reference_architecture(declared, size), size))


def answered(task: Task, count: int = 6) -> tuple[Outputs, Targets]:
    """Outputs of a network, and random targets."""
    x = images(count)
    outputs, _ = network(task)(x)
    return outputs, task.random_targets(x, 3, torch.Generator().manual_seed(2))


def first(outputs: Outputs, stop: int) -> Outputs:
    """The outputs of the first images."""
    return outputs[:stop] if isinstance(outputs, Tensor) else tuple(o[:stop] for o in outputs)


def rest(outputs: Outputs, start: int) -> Outputs:
    return outputs[start:] if isinstance(outputs, Tensor) else tuple(o[start:] for o in outputs)


def test_the_names_are_those_that_are_known(installed: None) -> None:
    assert sorted(known_tasks()) == sorted(NAMES)
    assert [get_task(name).name for name in NAMES] == NAMES


def test_metrics_have_names_of_their_own(task: Task) -> None:
    assert task.metric == task.metrics[0]
    keys = [metric.key for metric in task.metrics]
    assert len(set(keys)) == len(keys)
    assert not {"loss", "images", "seconds", "epoch", "name", "lr"} & set(keys)


def test_a_head_on_every_skeleton(task: Task) -> None:
    assert {type(get_space(name).skeleton) for name in SPACES} == {
        type(get_space(name).skeleton) for name in SIZES
    }
    for space in SIZES:
        module = network(task, space)
        verify(module.network)
        x = images(2, SIZES[space].image_size)
        outputs, _ = module(x)
        loss = task.loss(outputs, task.random_targets(x, 3))
        loss.backward()
        grads = [p.grad for p in module.parameters()]
        assert grads[-1] is not None
        assert grads[-1].abs().sum() > 0


def test_a_supernet_runs_the_head_alike_however_it_is_lowered(task: Task) -> None:
    graph = replace(get_space("nasbench201"), task=task).supernet(SIZES["nasbench201"])
    torch.manual_seed(1)
    plain = GraphModule(graph)
    fused = FusedNetwork(graph)
    fused.load_state_dict(plain.state_dict())
    decisions = len(plain.decisions), len(plain.decisions[0].candidates)
    mixture = Mixture.from_logits(torch.zeros(decisions))
    torch.testing.assert_close(plain(images(), mixture)[0], fused(images(), mixture)[0])


def test_targets_go_by_image(task: Task) -> None:
    _, targets = answered(task)
    assert len(targets) == 6
    assert len(targets[1:3]) == 2
    again = task.random_targets(images(), 3, torch.Generator().manual_seed(2))
    for own, other in zip(targets, again, strict=True):
        assert torch.equal(torch.as_tensor(own), torch.as_tensor(other))


def test_a_loss_is_a_mean_over_images(task: Task) -> None:
    outputs, targets = answered(task)
    whole = task.loss(outputs, targets)
    parts = [
        task.loss_sum(first(outputs, 2), targets[:2]),
        task.loss_sum(rest(outputs, 2), targets[2:]),
    ]
    assert whole.dtype == torch.float32
    torch.testing.assert_close(torch.stack(parts).sum() / 6, whole)


def test_a_loss_of_bfloat16_is_taken_in_float32(task: Task) -> None:
    outputs, targets = answered(task)
    assert isinstance(outputs, Tensor)
    assert task.loss(outputs.bfloat16(), targets).dtype == torch.float32
    assert task.loss(outputs.double(), targets).dtype == torch.float64


def test_a_pass_has_the_same_metrics_however_it_is_cut(task: Task) -> None:
    outputs, targets = answered(task)
    whole = task.accumulator()
    assert whole.compute() == {}
    assert whole.state() == {}
    whole.update(outputs, targets)
    assert list(whole.compute()) == [metric.key for metric in task.metrics]
    processes = [task.accumulator(), task.accumulator(), task.accumulator()]  # the last saw none
    processes[0].update(first(outputs, 2), targets[:2])
    processes[1].update(rest(outputs, 2), targets[2:])
    total = task.accumulator()
    for one in processes:
        content = io.BytesIO()
        torch.save(dict(one.state()), content)
        content.seek(0)
        total.merge(torch.load(content, weights_only=True))
    assert total.compute() == whole.compute()


def test_predictions_as_targets_score_best(task: Task) -> None:
    outputs, targets = answered(task)
    right, wrong = task.accumulator(), task.accumulator()
    right.update(outputs, task.predict(outputs))
    wrong.update(outputs, targets)
    key = task.metric.key
    assert right.compute()[key] == pytest.approx(100)
    assert task.metric.rank(right.compute()[key]) > task.metric.rank(wrong.compute()[key])


def test_a_teacher_has_nothing_to_teach_itself(task: Task) -> None:
    outputs, _ = answered(task)
    assert isinstance(outputs, Tensor)
    same = task.distillation(outputs, outputs.detach(), 2.0)
    assert same.item() == pytest.approx(0, abs=1e-6)
    away = task.distillation(outputs, outputs.detach().flip(1) * 3, 2.0)
    assert away.item() > 1e-6
    assert torch.autograd.grad(away, outputs)[0].abs().sum() > 0


def test_an_auxiliary_head_is_there_or_refused(task: Task) -> None:
    graph = network(task).network
    if type(task).with_auxiliary is Task.with_auxiliary:
        message = rf"^{task.name} has no auxiliary head: leave it out \(--auxiliary 0\)$"
        with pytest.raises(ConfigError, match=message):
            task.with_auxiliary(graph, "cell0", 3)
        return
    found = task.with_auxiliary(graph, "cell0", 3)
    verify(found)
    module = GraphModule(found)
    x = images()
    outputs, auxiliary = module(x)
    targets = task.random_targets(x, 3)
    assert task.loss(auxiliary, targets).ndim == task.loss(outputs, targets).ndim == 0


def test_a_task_is_a_value(task: Task) -> None:
    assert task == type(task)()
    assert hash(task) == hash(type(task)())


# the registry


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown task 'clasification': did you mean 'classif"):
        get_task("clasification")


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> Path:
    about = tmp_path / "other-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return about / "entry_points.txt"


def test_two_tasks_of_one_name_are_refused(other_package: Path) -> None:
    other_package.write_text("[archwright.tasks]\nclassification = somewhere:Else\n")
    with pytest.raises(ConfigError, match=r"archwright\.tasks has two entries 'classification', "):
        get_task("classification")


def test_an_entry_that_is_not_a_task_is_refused(other_package: Path) -> None:
    other_package.write_text("[archwright.tasks]\nodd = collections:Counter\n")
    with pytest.raises(ConfigError, match=r"task 'odd' \(collections:Counter\) is not an arch"):
        get_task("odd")


# what travels


def test_all_tensors_of_targets_move() -> None:
    boxes = [{"boxes": torch.zeros(2, 4), "labels": torch.zeros(2)}, {"boxes": torch.zeros(0, 4)}]
    targets: list[Any] = [*boxes, (torch.zeros(1), "kept")]
    first, second, (third, kept) = move(targets, torch.device("meta"))
    tensors = [*first.values(), *second.values(), third]
    assert [tensor.device.type for tensor in tensors] == ["meta"] * 4
    assert kept == "kept"


def test_outputs_of_parts_are_joined_map_by_map() -> None:
    maps = [(torch.zeros(n, 2), torch.ones(n, 3, 4)) for n in (1, 2)]
    joined = join_outputs(maps)
    assert [tuple(one.shape) for one in joined] == [(3, 2), (3, 3, 4)]
    assert torch.equal(torch.as_tensor(join_outputs([one for one, _ in maps])), joined[0])
