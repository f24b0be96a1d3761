"""Watching a search: what is measured, and that measuring leaves no trace."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from archwright.engine.runs.folder import RunFolder, read_config
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop.search import search
from archwright.nas.method import Progress
from archwright.nas.methods import METHODS, get_method
from archwright.nas.monitor import collapse as watch_module
from archwright.nas.monitor.collapse import CollapseMonitor, expected_mixture, without_side_effects
from archwright.nas.monitor.hessian import largest_eigenvalue
from archwright.nas.monitor.statistics import OperationRoles
from archwright.report.reading.read_run import load_run
from archwright.spaces import Size, Space, get_space
from archwright.tasks import CLASSIFICATION, Batch

from ...engine.helpers import interrupted, tiny_search, traces

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LEARNING = [name for name in METHODS if get_method(name).learns]


class Fixed:
    """Stands for the batches of alpha's images."""

    def __init__(self, pairs: list[Batch]) -> None:
        self.pairs = pairs

    def epoch(self, epoch: int) -> list[Batch]:
        return self.pairs


def noise(count: int = 2, size: int = 12) -> list[Batch]:
    generator = torch.Generator().manual_seed(5)
    return [
        (torch.randn(size, 3, 8, 8, generator=generator), torch.arange(size) % 10)
        for _ in range(count)
    ]


def watched(
    fabric: "Fabric",
    method: str = "darts",
    *,
    space: Space | None = None,
    fused: bool = False,
    batches: list[Batch] | None = None,
    alpha_start: int = 0,
) -> tuple[Bilevel, CollapseMonitor]:
    """A search at the start, with alpha spread out, and its watch."""
    chosen = space or get_space("nasbench201")
    size = Size(channels=4, cells=1, image_size=8)
    known = get_method(method)
    torch.manual_seed(3)
    lowered = (FusedNetwork if fused else GraphModule)(known.supernet(chosen.supernet(size)))
    recipe = replace(known.recipe(chosen.name), alpha_init=0.5, alpha_start=alpha_start)
    run = Bilevel(fabric, CLASSIFICATION, lowered, known, recipe)
    given: Any = Fixed(noise() if batches is None else batches)
    roles = OperationRoles.of(chosen.supernet(size))
    return run, CollapseMonitor(run, roles, "none", none_op=chosen.null, batches=given)


def architecture_of(run: Bilevel) -> Architecture:
    from archwright.spaces.discretise import discretise

    size = Size(channels=4, cells=1, image_size=8)
    return discretise(get_space("nasbench201"), size, run.weights_by_decision(), null=False)


MOMENT = Progress(1, 4, 0.5)


# Curvature


def test_the_largest_eigenvalue_of_a_known_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    matrix = matrix + matrix.T
    exact = torch.linalg.eigvalsh(matrix)
    assert -exact[0] > exact[-1]  # power iteration would find the other end
    start = torch.randn(12, generator=generator, dtype=torch.float64)
    value, vector = largest_eigenvalue(lambda v: matrix @ v, start, 12)
    assert value == pytest.approx(float(exact[-1]))
    torch.testing.assert_close(matrix @ vector, value * vector)
    few = [largest_eigenvalue(lambda v: matrix @ v, start, count)[0] for count in range(1, 13)]
    assert few == sorted(few)  # every product adds to it
    assert few[2] < value - 0.1


def test_the_vector_found_is_a_better_start() -> None:
    matrix = torch.diag(torch.linspace(-1, 2, 40, dtype=torch.float64))
    calls: list[int] = []

    def product(vector: Tensor) -> Tensor:
        calls.append(1)
        return matrix @ vector

    vector = torch.ones(40, dtype=torch.float64)
    values: list[float] = []
    for _ in range(8):
        value, vector = largest_eigenvalue(product, vector, 3)
        values.append(value)
    assert len(calls) == 24
    assert values == sorted(values)
    assert values[0] < 1.8
    assert values[-1] == pytest.approx(2.0, abs=0.01)


def test_a_matrix_without_anything_and_one_that_is_not_finite() -> None:
    start = torch.ones(4)
    assert largest_eigenvalue(lambda v: 0 * v, start, 3)[0] == 0
    value, vector = largest_eigenvalue(lambda v: v / 0, start, 3)
    assert value != value
    assert torch.equal(vector, start)


@pytest.mark.parametrize("fused", [False, True])
def test_the_eigenvalue_is_that_of_the_hessian_in_alpha(fabric: "Fabric", fused: bool) -> None:
    run, monitor = watched(fabric, "pc-darts", fused=fused)
    images, labels = noise()[0]
    parameters = [run.alpha.candidates, run.alpha.edges]
    assert parameters[1] is not None

    def loss(candidates: Tensor, edges: Tensor) -> Tensor:
        edge_weights = torch.cat(
            [edges[:1].softmax(0), edges[1:3].softmax(0), edges[3:].softmax(0)]
        )
        weights = candidates.softmax(1)
        mixture = Mixture(weights, weights.log()).times(edge_weights)
        scores, _ = run.network(images[:3], mixture)  # a quarter of the batch
        return CLASSIFICATION.loss(scores, labels[:3])

    if isinstance(run.network, FusedNetwork):
        run.network.keeps_all = True
    points = tuple(p.detach() for p in parameters if p is not None)
    blocks: Any = torch.autograd.functional.hessian(loss, points)
    sizes = [p.numel() for p in points]
    rows = [
        torch.cat([b.reshape(m, n) for b, n in zip(r, sizes, strict=True)], dim=1)
        for r, m in zip(blocks, sizes, strict=True)
    ]
    exact = float(torch.linalg.eigvalsh(torch.cat(rows).double())[-1])
    if isinstance(run.network, FusedNetwork):
        run.network.keeps_all = False
    found = [
        monitor.observe(
            run.weights_by_decision(), run.ranking_scores(), architecture_of(run), MOMENT
        )
        for _ in range(12)
    ]
    values = [signs.eigenvalue for signs in found]
    assert values[0] is not None
    assert 0 < values[0] < exact * 1.0001
    assert values[-1] == pytest.approx(exact, rel=1e-3)
    if isinstance(run.network, FusedNetwork):
        assert not run.network.keeps_all


# Gap


def test_the_gap_is_between_the_mixture_and_its_architecture(fabric: "Fabric") -> None:
    run, monitor = watched(fabric, batches=noise(2, 40))
    architecture = architecture_of(run)
    answers = architecture.answers()
    hits = {"mixed": 0, "alone": 0}
    onehot = torch.zeros(6, 5)
    for row, decision in enumerate(run.network.decisions):
        onehot[row, decision.candidates.index(answers[decision.name])] = 1.0
    for images, labels in noise(2, 40):
        for name, weights in (("mixed", run.alpha.candidates.softmax(1)), ("alone", onehot)):
            scores, _ = run.network(images, Mixture.from_weights(weights))
            hits[name] += int((scores.argmax(1) == labels).sum())
    signs = monitor.observe(run.weights_by_decision(), run.ranking_scores(), architecture, MOMENT)
    assert hits["mixed"] != hits["alone"]
    assert signs.gap == pytest.approx(100 * (hits["mixed"] - hits["alone"]) / 80)


def test_a_mixture_with_all_weight_on_its_architecture_has_no_gap(fabric: "Fabric") -> None:
    run, monitor = watched(fabric, batches=noise(2, 40))
    with torch.no_grad():
        run.alpha.candidates.zero_()
        run.alpha.candidates[:, 3] = 60.0
    assert (
        monitor.observe(
            run.weights_by_decision(), run.ranking_scores(), architecture_of(run), MOMENT
        ).gap
        == 0
    )


# No trace


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("method", LEARNING)
def test_a_look_changes_nothing(fabric: "Fabric", method: str, fused: bool) -> None:
    run, monitor = watched(fabric, method, fused=fused)
    pair = noise(1)[0]
    run.step(pair, pair, MOMENT)
    trained = [*run.network.parameters(), *run.alpha.parameters()]
    grads = [None if p.grad is None else p.grad.clone() for p in trained]
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    alpha = [p.detach().clone() for p in run.alpha.parameters()]
    state = torch.get_rng_state()
    signs = monitor.observe(
        run.weights_by_decision(), run.ranking_scores(), architecture_of(run), MOMENT
    )
    assert signs.gap is not None
    assert signs.eigenvalue is not None
    assert torch.equal(torch.get_rng_state(), state)
    assert run.network.training
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    for parameter, kept in zip(run.alpha.parameters(), alpha, strict=True):
        assert torch.equal(parameter, kept)
    for parameter, grad in zip(trained, grads, strict=True):
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or (parameter.grad is not None and torch.equal(parameter.grad, grad))
    assert all(p.requires_grad for p in run.network.parameters())


def test_what_fails_while_looking_is_put_back_too(fabric: "Fabric") -> None:
    run, _ = watched(fabric)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    state = torch.get_rng_state()

    def fail() -> None:
        with without_side_effects(run):
            run.network(noise()[0][0], expected_mixture(run))
            torch.rand(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[name]) for name, v in run.network.state_dict().items())
    assert all(p.requires_grad for p in run.network.parameters())


MEASURED = ("gap", "eigenvalue")


def without_signs(trace: dict[str, Any]) -> dict[str, Any]:
    log = [{k: v for k, v in record.items() if k not in MEASURED} for record in trace["log"]]
    return {**trace, "log": log}


@pytest.mark.parametrize("method", ["pc-darts", "gdas", "drnas"])
def test_a_search_that_is_watched_is_the_same_search(tmp_path: Path, method: str) -> None:
    runs = {
        watch: tiny_search(
            tmp_path / str(watch), method=method, watch=watch, alpha_start=0, alpha_lr=0.05
        )
        for watch in (None, False)
    }
    found = {watch: search(config) for watch, config in runs.items()}
    assert found[None].architecture == found[False].architecture
    left, right = (traces(config.out) for config in runs.values())
    epochs = [record for record in left["log"] if record["event"] == "epoch"]
    assert all(isinstance(record[name], float) for record in epochs for name in MEASURED)
    assert all(record[name] is None for record in right["log"][1:-1] for name in MEASURED)
    assert without_signs(left) == without_signs(right)
    settings = [read_config(config.out) for config in runs.values()]
    assert [content["watch"] for content in settings] == [True, False]


@pytest.mark.parametrize("step", [1, 3, 8])
def test_what_is_watched_comes_back_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each estimate goes on from the last, so that a lost vector would show."""
    straight = tiny_search(tmp_path / "straight", method="snas", alpha_lr=0.05)
    search(straight)
    config = tiny_search(tmp_path / "out", method="snas", alpha_lr=0.05, checkpoint_seconds=0)
    interrupted(monkeypatch, Bilevel, "step", step, lambda: search(config))
    search(replace(config, resume=True))
    assert traces(config.out) == traces(straight.out)


def test_the_same_images_are_looked_at_in_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    original = watch_module.mixture_score

    def score(fabric: Any, task: Any, network: Any, mixture: Any, batches: list[Batch]) -> float:
        seen.append(torch.cat([images for images, _ in batches]))
        return original(fabric, task, network, mixture, batches)

    monkeypatch.setattr(watch_module, "mixture_score", score)
    search(tiny_search(tmp_path / "out", epochs=2))
    assert [len(images) for images in seen] == [32, 32]  # two batches
    assert torch.equal(*seen)


# What is refused


CHECKS: list[tuple[dict[str, Any], str]] = [
    ({"method": "random", "watch": True}, "--watch monitors alpha, which random does not learn"),
    ({"method": "random-ws", "stop_early": "skips"}, "--stop-early skips monitors alpha"),
    ({"stop_early": "eigenvalue", "watch": False}, "needs the curvature: leave out --no-watch"),
    (
        {"stop_early": "eigenvalue", "epochs": 5, "alpha_start": 1},
        "^--stop-early eigenvalue needs 10 epochs in which alpha learns, and there are 4: give "
        "--epochs 11 or more, or leave it out$",
    ),
]


@pytest.mark.parametrize(("changed", "message"), CHECKS)
def test_what_cannot_be_watched_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        search(tiny_search(tmp_path / "out", **changed))
    assert not (tmp_path / "out").exists()


def test_methods_that_draw_are_not_watched(tmp_path: Path) -> None:
    config = tiny_search(tmp_path / "out", method="random-ws", samples=2, epochs=1)
    search(config)
    (record,) = [r for r in RunFolder(config.out).log.records() if r["event"] == "epoch"]
    assert "train_top1" in record
    said = {"alpha", "entropy", "skips", "gap", "eigenvalue", "architecture"}
    assert not said & record.keys()  # of an alpha that learns nothing
    assert load_run(config.out).epochs[0].alpha == {}
