from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional

from archwright.engine.schedule import cosine
from archwright.engine.scoring.evaluate import evaluate
from archwright.engine.scoring.meter import Meter, require_finite
from archwright.errors import DivergedError
from archwright.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def filled(fabric: "Fabric", *losses: float, gradients: tuple[float, ...] = ()) -> Meter:
    meter = Meter(fabric, CLASSIFICATION)
    for position, loss in enumerate(losses):
        norm = torch.tensor(gradients[position]) if gradients else None
        meter.add(torch.tensor(loss), torch.eye(3), torch.arange(3), norm)
    return meter


def test_means_over_images(fabric: "Fabric") -> None:
    meter = Meter(fabric, CLASSIFICATION)
    assert (meter.loss, meter.score, meter.values()) == (None, None, {})
    logits = torch.tensor([[9.0, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4]])
    meter.add(torch.tensor(2.0), logits, torch.tensor([0, 4, 5]))
    meter.add(torch.tensor(6.0), logits[:1], torch.tensor([0]))
    assert meter.loss == pytest.approx((3 * 2 + 6) / 4)
    assert meter.values() == {"top1": 50, "top5": 75}
    meter.reset()
    assert meter.loss is None


def test_few_classes_have_a_top5(fabric: "Fabric") -> None:
    assert filled(fabric, 1.0).values()["top5"] == 100


def test_the_first_bad_batch_is_named(fabric: "Fabric") -> None:
    require_finite(0, {"all": filled(fabric, 1.0, 2.0)})
    nan, inf = float("nan"), float("inf")
    cases = {
        3: filled(fabric, 1.0, 2.0, nan, 1.0),
        1: filled(fabric, inf, 2.0),
        2: filled(fabric, 1.0, 2.0, 3.0, gradients=(0.0, inf, 0.0)),
    }
    for step, meter in cases.items():
        with pytest.raises(DivergedError, match=f"in epoch 5, step {step}, on these images"):
            require_finite(4, {"these images": meter})
        assert meter.loss is None


def test_what_diverges_first_is_named(fabric: "Fabric") -> None:
    nan = float("nan")
    late, early = filled(fabric, 1.0, nan, nan), filled(fabric, nan, nan, nan)
    with pytest.raises(DivergedError, match="step 1, on b"):
        require_finite(0, {"a": late, "b": early})
    with pytest.raises(DivergedError, match="step 1, on b"):
        require_finite(0, {"b": early, "c": early})


def test_an_empty_part_of_a_batch_counts_nothing(fabric: "Fabric") -> None:
    class Constant(nn.Module):
        def forward(self, images: torch.Tensor, mixture: None) -> tuple[torch.Tensor, None]:
            assert len(images)
            return functional.one_hot(torch.zeros(len(images)).long(), 3).float(), None

    batches = [
        (torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])),
        (torch.zeros(0, 1, 8, 8), torch.zeros(0).long()),
    ]
    meter = evaluate(fabric, CLASSIFICATION, Constant(), batches)  # pyright: ignore[reportArgumentType]
    assert meter.score == 50
    assert meter.loss is not None


def test_the_schedule() -> None:
    assert cosine(0.0, 1.0, 0.2) == 1.0
    assert cosine(1.0, 1.0, 0.2) == pytest.approx(0.2)
    assert cosine(0.5, 1.0, 0.2) == pytest.approx(0.6)
    assert cosine(0.05, 1.0, 0.2, warmup=0.1) == pytest.approx(0.5)
    assert cosine(0.1, 1.0, 0.2, warmup=0.1) == 1.0
    assert cosine(0.55, 1.0, 0.2, warmup=0.1) == pytest.approx(0.6)
