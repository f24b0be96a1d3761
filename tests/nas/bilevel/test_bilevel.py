from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from archwright.engine.schedule import cosine
from archwright.errors import ConfigError, DivergedError
from archwright.lowering import GraphModule
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.method import Method, Progress
from archwright.nas.methods.darts import Darts
from archwright.nas.recipe import Recipe
from archwright.spaces import Size, get_space
from archwright.tasks import CLASSIFICATION

from ..oracle import EDGES, Oracle

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RECIPE = replace(
    Darts().recipe("nasbench201"),
    **{"epochs": 4, "lr": 1.0, "lr_min": 0.25, "clip": 0.5, "weight_decay": 0.01},
    **{"alpha_lr": 0.05, "alpha_weight_decay": 0.1, "alpha_init": 0.5},
)
Batch = tuple[Tensor, Tensor]


def batches(seed: int, count: int, channels: int = 1) -> list[tuple[Batch, Batch]]:
    """Pairs of a batch for the weights and one for alpha, on 8x8 images of 10 classes."""
    generator = torch.Generator().manual_seed(seed)

    def batch() -> Batch:
        images = torch.randn(6, channels, 8, 8, generator=generator)
        return images, torch.randint(10, (6,), generator=generator)

    return [(batch(), batch()) for _ in range(count)]


def bilevel(
    fabric: "Fabric", space: str, recipe: Recipe, method: Method | None = None, **size: int
) -> Bilevel:
    torch.manual_seed(3)
    sizes = {"channels": 4, "cells": 1, "image_size": 8, "image_channels": 1, **size}
    network = GraphModule(get_space(space).supernet(Size(**sizes)))
    return Bilevel(fabric, CLASSIFICATION, network, method or Darts(), recipe)


def progress(step: int, steps: int) -> Progress:
    return Progress(step * RECIPE.epochs // steps, RECIPE.epochs, step / steps)


def oracle_of(run: Bilevel) -> Oracle:
    assert [d.name for d in run.network.decisions] == [f"cell/{i}->{j}" for i, j in EDGES]
    state = run.network.state_dict()
    weights = {name.removeprefix("slots."): value.double() for name, value in state.items()}
    return Oracle(weights, run.alpha.candidates.detach().double())


def oracle_step(oracle: Oracle, recipe: Recipe, pair: tuple[Batch, Batch], lr: float) -> float:
    """One step of each in the recipe's order; the norm of the weights' gradient."""
    (images, labels), (valid, valid_labels) = pair
    alpha = {"lr": recipe.alpha_lr, "decay": recipe.alpha_weight_decay}
    weights = {"mu": recipe.momentum, "decay": recipe.weight_decay, "clip": recipe.clip}
    if recipe.alpha_first:
        oracle.alpha_step(valid.double(), valid_labels, betas=recipe.alpha_betas, **alpha)
    norm = oracle.weight_step(images.double(), labels, lr=lr, **weights)
    if not recipe.alpha_first:
        oracle.alpha_step(valid.double(), valid_labels, betas=recipe.alpha_betas, **alpha)
    return norm


@pytest.mark.parametrize("alpha_first", [False, True])
def test_steps_agree_with_first_order_darts_written_out(
    fabric: "Fabric", plain: str, alpha_first: bool
) -> None:
    recipe = replace(RECIPE, alpha_first=alpha_first)
    run = bilevel(fabric, plain, recipe)
    oracle, other = oracle_of(run), oracle_of(run)
    norms: list[float] = []
    for step, pair in enumerate(batches(1, 4)):
        run.step(*pair, progress(step, 4))
        lr = cosine(step / 4, recipe.lr, recipe.lr_min)
        norms.append(oracle_step(oracle, recipe, pair, lr))
        oracle_step(other, replace(recipe, alpha_first=not alpha_first), pair, lr)
    assert min(norms) < recipe.clip < max(norms)  # both sides of the clip are tried
    torch.testing.assert_close(
        run.alpha.candidates.detach().double(), oracle.alpha, rtol=1e-4, atol=1e-5
    )
    for name, value in run.network.state_dict().items():
        expected = oracle.weights[name.removeprefix("slots.")]
        torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-5)
    # and the other order is another search
    assert (oracle.alpha - other.alpha).abs().max() > 1e-3


def test_alpha_waits_for_its_epoch(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, replace(RECIPE, alpha_start=2))
    start = run.alpha.candidates.detach().clone()
    changed: list[bool] = []
    for step, pair in enumerate(batches(1, 4)):
        run.step(*pair, progress(step, 4))
        changed.append(not torch.equal(run.alpha.candidates.detach(), start))
    assert changed == [False, False, True, True]
    assert run.valid_meter.images == 12  # images of the two batches that alpha learned from


def test_the_rate_falls_from_its_highest_to_its_lowest(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, RECIPE)
    seen: list[float] = []
    for step, pair in enumerate(batches(1, 4)):
        run.step(*pair, progress(step, 4))
        seen.append(run.weight_optimiser.param_groups[0]["lr"])
    # 0.25 + 0.75 (1 + cos(pi t)) / 2 at t = 0, 1/4, 1/2, 3/4
    assert seen == pytest.approx([1.0, 0.890165, 0.625, 0.359835], abs=1e-6)


def test_the_rate_rises_while_warming_up(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, replace(RECIPE, warmup_epochs=2.0))
    seen: list[float] = []
    for step, pair in enumerate(batches(1, 4)):
        run.step(*pair, progress(step, 4))
        seen.append(run.weight_optimiser.param_groups[0]["lr"])
    assert seen == pytest.approx([0.0, 0.5, 1.0, 0.625])


def test_smaller_decisions_stay_padded(fabric: "Fabric", uneven: str) -> None:
    run = bilevel(fabric, uneven, RECIPE)
    assert run.alpha.candidates.shape == (3, 4)
    absent = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]], dtype=torch.bool)
    for step, pair in enumerate(batches(2, 4)):
        run.step(*pair, progress(step, 4))
        assert run.alpha.candidates.grad is not None
        assert (run.alpha.candidates.grad[absent] == 0).all()
        assert (run.alpha.candidates.grad[~absent] != 0).all()
    assert (run.alpha.candidates[absent] == 0).all()
    assert (run.alpha().candidates.softmax(dim=1)[absent] == 0).all()
    weights = run.weights_by_decision()
    assert [len(row) for row in weights.values()] == [2, 4, 3]
    for row in weights.values():
        assert sum(row) == pytest.approx(1)
        assert min(row) > 0


def test_alpha_decays(fabric: "Fabric", plain: str) -> None:
    class Indifferent(Darts):
        @override
        def mixture(self, logits: Tensor, progress: Progress) -> Any:
            return super().mixture(logits * 0.0 + torch.ones_like(logits), progress)

    run = bilevel(fabric, plain, replace(RECIPE, alpha_lr=0.01), Indifferent())
    start = run.alpha.candidates.detach().clone()
    run.step(*batches(1, 1)[0], progress(0, 4))
    # nothing but the decay moves it: Adam's first step is its rate, toward zero
    torch.testing.assert_close(
        run.alpha.candidates.detach(), start - 0.01 * start.sign(), atol=1e-4, rtol=0
    )


def test_a_penalty_joins_alphas_loss_alone(fabric: "Fabric", plain: str) -> None:
    class Penalised(Darts):
        @override
        def penalty(self, logits: Tensor, progress: Progress) -> Tensor:
            return 5.0 * logits[0, 2]

    (pair,) = batches(1, 1)
    runs = [bilevel(fabric, plain, RECIPE, method) for method in (Darts(), Penalised())]
    for run in runs:
        run._alpha_step(*pair, progress(0, 4))
    grads = [run.alpha.candidates.grad for run in runs]
    assert grads[0] is not None
    assert grads[1] is not None
    expected = torch.zeros(3, 3)
    expected[0, 2] = 5.0
    torch.testing.assert_close(grads[1] - grads[0], expected)
    assert torch.equal(runs[0].valid_meter.sums, runs[1].valid_meter.sums)


def test_each_step_gives_gradients_to_its_own_alone(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, RECIPE)
    (pair,) = batches(1, 1)
    run._alpha_step(*pair, progress(0, 4))
    assert all(p.grad is None for p in run.network.parameters())
    assert all(p.requires_grad for p in run.network.parameters())
    run = bilevel(fabric, plain, RECIPE)
    run._weight_step(pair[0], progress(0, 4))
    assert run.alpha.candidates.grad is None
    assert all(p.grad is not None for p in run.network.parameters())


def test_weights_thaw_when_alphas_step_fails(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, RECIPE)
    batch = (torch.zeros(2, 9, 8, 8), torch.zeros(2).long())
    with pytest.raises(RuntimeError, match="channels"):
        run._alpha_step(batch, batch, progress(0, 4))
    assert all(p.requires_grad for p in run.network.parameters())


def test_both_steps_move_the_running_statistics(fabric: "Fabric") -> None:
    run = bilevel(fabric, "nasbench201", RECIPE)
    (pair,) = batches(1, 1)
    name = "slots.stem/1"
    before = run.network.state_dict()[f"{name}.running_mean"].clone()
    run._weight_step(pair[0], progress(0, 4))
    middle = run.network.state_dict()[f"{name}.running_mean"].clone()
    run._alpha_step(*pair, progress(0, 4))
    after = run.network.state_dict()
    assert not torch.equal(before, middle)
    assert not torch.equal(middle, after[f"{name}.running_mean"])
    assert int(after[f"{name}.num_batches_tracked"]) == 2


def test_state_comes_back(fabric: "Fabric", uneven: str) -> None:
    pairs = batches(2, 4)
    run, other = (bilevel(fabric, uneven, RECIPE) for _ in range(2))
    for step, pair in enumerate(pairs):
        run.step(*pair, progress(step, 4))
        if step == 1:
            state = torch.load(_saved(run.state()), weights_only=True)
            other.load_state(state)
        if step > 1:
            other.step(*pair, progress(step, 4))
    assert torch.equal(run.alpha.candidates, other.alpha.candidates)
    assert torch.equal(run.train_meter.sums, other.train_meter.sums)
    assert torch.equal(run.valid_meter.sums, other.valid_meter.sums)
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name


def _saved(state: dict[str, Any]) -> Any:
    import io

    content = io.BytesIO()
    torch.save(state, content)
    content.seek(0)
    return content


@pytest.mark.parametrize(
    ("half", "which"), [(0, "on the weights' images"), (1, "on alpha's images")]
)
@pytest.mark.parametrize("alpha_first", [False, True])
def test_a_loss_that_is_not_finite_names_step_and_images(
    fabric: "Fabric", plain: str, half: int, which: str, alpha_first: bool
) -> None:
    run = bilevel(fabric, plain, replace(RECIPE, alpha_first=alpha_first))
    for step, pair in enumerate(batches(1, 3)):
        if step == 1:
            pair[half][0].fill_(float("nan"))
        run.step(*pair, progress(step, 4))
    with pytest.raises(DivergedError, match=f"in epoch 6, step 2, {which}: lower the learning"):
        run.require_finite(5)


def test_a_gradient_that_is_not_finite_counts_too(fabric: "Fabric", plain: str) -> None:
    run = bilevel(fabric, plain, RECIPE)
    (pair,) = batches(1, 1)
    weight = run.network.get_parameter("slots.head/2.weight")
    weight.register_hook(lambda gradient: gradient * float("inf"))
    run.step(*pair, progress(0, 4))
    with pytest.raises(DivergedError, match="step 1, on the weights' images"):
        run.require_finite(0)


def test_alphas_rate_falls_by_half_a_cosine_from_its_first_epoch_on() -> None:
    recipe = replace(RECIPE, epochs=4, alpha_start=1, alpha_lr=0.2, alpha_lr_min=0.02)
    rates = [recipe.alpha_rate(progress) for progress in (0.0, 0.25, 0.625, 1.0)]
    assert rates == pytest.approx([1.0, 1.0, 0.55, 0.1])
    assert replace(recipe, alpha_lr_min=None).alpha_rate(0.9) == 1.0
    with pytest.raises(ConfigError, match=r"--alpha-lr-min 0.3 must not be above --alpha-lr 0.2"):
        replace(recipe, alpha_lr_min=0.3)
