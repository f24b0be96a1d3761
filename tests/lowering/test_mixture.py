"""Mixtures: what a relaxation hands on."""

import pytest
import torch

from archwright.graph import Decision
from archwright.lowering import GraphModule, Mixture, logits_table

from ..strategies import any_space, images, seeded, tiny

DECISIONS = (Decision("two", ("a", "b")), Decision("three", ("a", "b", "c")))


def test_the_table_marks_padding() -> None:
    table = logits_table(DECISIONS)
    assert table.tolist() == [[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]]


def test_padding_has_no_weight_and_no_gradient() -> None:
    alpha = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    padding = logits_table(DECISIONS).double()
    mixture = Mixture.from_logits(alpha + torch.where(padding.isinf(), padding, 0.0))
    assert mixture.weights[0, 2] == 0
    torch.testing.assert_close(mixture.weights.sum(1), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(mixture.weights[0, :2], alpha[0, :2].softmax(0))
    torch.testing.assert_close(mixture.weights[1], alpha[1].softmax(0))
    torch.testing.assert_close(mixture.log_weights[1], alpha[1].log_softmax(0))
    assert mixture.log_weights.isfinite().all()
    (mixture.weights.square().sum() + mixture.log_weights[0, :2].sum()).backward()
    assert alpha.grad is not None
    assert alpha.grad.isfinite().all()
    assert alpha.grad[0, 2] == 0
    assert alpha.grad[0, :2].abs().min() > 0


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[0.0, 1e6, -1e6]], requires_grad=True)
    mixture = Mixture.from_logits(logits)
    assert mixture.weights.tolist() == [[0.0, 1.0, 0.0]]
    conditional = mixture.log_weights[0, [0, 2]].softmax(0)
    assert conditional.isfinite().all()
    conditional.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_hot(dtype: torch.dtype) -> None:
    mixture = Mixture.one_hot(DECISIONS, {"three": "b"}, like=torch.zeros((), dtype=dtype))
    assert mixture.weights.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert mixture.weights.dtype == mixture.log_weights.dtype == dtype
    assert mixture.log_weights[1, 1] == 0
    assert mixture.log_weights.softmax(1)[1].tolist() == [0, 1, 0]
    assert mixture.log_weights.isfinite().all()


def test_decisions_of_different_sizes_mix() -> None:
    supernet = any_space("user").supernet(tiny("user"))
    module: GraphModule = seeded(supernet)
    assert [len(d.candidates) for d in module.decisions] == [2, 5, 3]
    alpha = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    padding = logits_table(module.decisions).double()
    logits = alpha + torch.where(padding.isinf(), padding, 0.0)
    out, _ = module(images(supernet), Mixture.from_logits(logits))
    out.square().sum().backward()
    assert alpha.grad is not None
    assert ((alpha.grad != 0) == ~padding.isinf()).all()
