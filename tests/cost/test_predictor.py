"""Predictors of the cost of whole graphs: exact algebra, error bounds, and six devices."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torch import Tensor
from typing_extensions import override

from archwright.cost import DecisionTable
from archwright.cost.expected.additive import macs
from archwright.cost.learned.connectivity import ConnectivityFeatures
from archwright.cost.learned.predictor import Predictor, _fits, _quantile, fit_predictor
from archwright.cost.measured import MeasuredCost
from archwright.errors import GenotypeError
from archwright.graph import Architecture
from archwright.nas.budget.budget import Budget
from archwright.spaces import Size, get_space, read_architecture
from archwright.spaces.discretise import random_architecture
from archwright.tables import nasbench201

from ..strategies import ALL_SPACES, any_space, tiny

LAYOUT = DecisionTable(get_space("nasbench201"), Size(channels=16, cells=5))
CELL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"


def rows(count: int, seed: int = 0) -> list[str]:
    order = np.random.default_rng(seed).permutation(nasbench201.SIZE)[:count]
    return [nasbench201.architectures()[index] for index in order]


@cache
def measured(device: str) -> dict[str, float]:
    values = nasbench201.latency(device).tolist()
    pairs = zip(nasbench201.architectures(), values, strict=True)
    return {text: value for text, value in pairs if value == value}


@cache
def learned(device: str, samples: int = 150) -> tuple[Predictor, Tensor, Tensor]:
    """A predictor, and what it says of 1,500 others beside what was measured."""
    known = measured(device)
    texts = [text for text in rows(samples + 1500) if text in known]
    found = fit_predictor(
        LAYOUT,
        [read_architecture(text) for text in texts[:samples]],
        [known[text] for text in texts[:samples]],
    )
    others = texts[samples:]
    predicted = found(LAYOUT.one_hots([read_architecture(text) for text in others]))
    return found, predicted, torch.tensor([known[text] for text in others], dtype=torch.float64)


def correlation(one: Tensor, other: Tensor) -> float:
    ranks = (rankdata(values.numpy()) for values in (one, other))
    return float(np.corrcoef(list(ranks))[0, 1])


def test_patterns_by_hand() -> None:
    # node 1 = conv 3x3 of 0; node 2 = pool of 0 + conv 1x1 of 1; node 3 = pool of 0 + node 2
    groups = ConnectivityFeatures(LAYOUT)(LAYOUT.one_hot(read_architecture(CELL)))
    tables = {name: groups[name].view(6, 5) for name in groups if groups[name].shape == (30,)}
    none, skip, one, three, pool = range(5)
    edges = {(0, 1): 0, (0, 2): 1, (1, 2): 2, (0, 3): 3, (1, 3): 4, (2, 3): 5}
    # whatever stands on an edge, its place is what counts: a null is fed and used here, too
    assert tables["picked"].sum() == tables["live"].sum() == 6
    assert tables["live"][edges[1, 3], none] == 1
    alone = tables["live, alone"].nonzero().tolist()
    assert alone == [[edges[0, 1], three]]
    # of every candidate: picked, fed, used and live; of those alone; through
    assert groups["sums"][:5].tolist() == [1, 1, 1, 1, 2]
    # additions at nodes 1, 2, 3 and in all, of what is picked and of what is live
    assert groups["joins"].tolist() == [0, 1, 1, 2, 0, 1, 1, 2]
    # relu of nodes 0 and 1, none of 2, in all 2; the pool of node 0 is run once for two edges
    assert groups["heads"].tolist() == [1, 1, 0, 2, 1, 0, 0, 1]
    assert tables["used"][edges[2, 3], skip] == tables["fed"][edges[1, 2], one] == 1
    assert tables["picked"][edges[0, 2], pool] == 1


def test_dead_and_live_edges_are_distinguished() -> None:
    # node 2 is fed by node 1 alone and leads nowhere; node 1 gets nothing
    cell = "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    groups = ConnectivityFeatures(LAYOUT)(LAYOUT.one_hot(read_architecture(cell)))
    at = 2 * 5 + 3
    for name, value in {"picked": 1, "fed": 0, "used": 0, "live": 0, "picked, alone": 1}.items():
        assert groups[name][at] == value
    assert groups["picked, through"][at] == 1
    cut = cell.replace("skip_connect", "none")
    through = ConnectivityFeatures(LAYOUT)(LAYOUT.one_hot(read_architecture(cut)))[
        "picked, through"
    ]
    assert not through.any()


@pytest.mark.parametrize("name", ALL_SPACES)
def test_every_space_is_learned(name: str) -> None:
    layout = DecisionTable(any_space(name), tiny(name))
    generator = np.random.default_rng(0)
    drawn = [random_architecture(layout.space, layout.size, generator) for _ in range(60)]
    weights = layout.one_hots(drawn)
    costs = macs(layout, live=True)(weights)
    found = fit_predictor(layout, drawn[:40], costs[:40].tolist())
    assert correlation(found(weights[40:]), costs[40:]) > 0.8
    assert found(weights[:40]).sub(costs[:40]).abs().max() < 0.2 * costs.std()


@pytest.mark.parametrize(
    ("device", "wanted"),
    [("raspi4", 0.96), ("edgegpu", 0.96), ("edgetpu", 0.985), ("fpga", 0.995)],
)
def test_devices_from_150_samples(device: str, wanted: float) -> None:
    _, predicted, known = learned(device)
    assert correlation(predicted, known) > wanted


@pytest.mark.parametrize("device", ["raspi4", "edgegpu", "edgetpu", "fpga"])
def test_a_bound_is_rarely_exceeded(device: str) -> None:
    found, predicted, known = learned(device)
    assert (known > predicted + found.margin).double().mean() < 0.06
    assert found.margin < 0.5 * known.std()


def test_few_residuals_are_taken_to_be_normal() -> None:
    """The bound of one more normal value: for two residuals of 1, t(1) at 0.98 times sqrt(3/2)."""
    many = np.linspace(-1.0, 1.0, 49)
    assert _quantile(many, 0.98) == 1.0
    assert _quantile(np.array([1.0, -1.0]), 0.98) == pytest.approx(15.895 * 1.5**0.5, rel=1e-4)
    assert _quantile(many[1:], 0.98) == pytest.approx(2.1124 * 0.57735 * 1.0312, rel=0.05)
    assert _quantile(np.array([0.0] * 40 + [5.0]), 0.98) == 5.0  # the largest is more


@pytest.mark.parametrize("device", ["raspi4", "edgegpu", "edgetpu"])
def test_a_bound_from_few_architectures_is_not_exceeded_often(device: str) -> None:
    found, predicted, known = learned(device, 24)
    assert (known > predicted + found.margin).double().mean() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        *(("raspi4", 0.97), ("pixel3", 0.97), ("edgegpu", 0.97)),
        *(("edgetpu", 0.992), ("eyeriss", 0.996), ("fpga", 0.996)),
    ],
)
def test_devices_from_300_samples(device: str, wanted: float) -> None:
    _, predicted, known = learned(device, 300)
    assert correlation(predicted, known) > wanted


def test_leaving_out_in_closed_form_is_leaving_out() -> None:
    generator = torch.Generator().manual_seed(0)
    examples = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    wanted = examples[:, 0].sin() + 0.1 * torch.randn(12, generator=generator, dtype=torch.float64)
    for fit in _fits(examples, wanted):
        distance = torch.cdist(examples, examples).square()
        kernel = fit.linear * examples @ examples.T
        kernel = kernel + (-distance / (2 * fit.length**2)).exp()
        # the noise that was chosen follows from the duals of any one example
        noise = float(((wanted - kernel @ fit.duals) / fit.duals).median())
        for out in range(12):
            kept = [index for index in range(12) if index != out]
            inner = kernel[kept][:, kept] + noise * torch.eye(11, dtype=torch.float64)
            predicted = kernel[out, kept] @ torch.linalg.solve(inner, wanted[kept])
            assert float(predicted) == pytest.approx(float(fit.left_out[out]), abs=1e-6)


def test_the_same_table_gives_the_same_predictor() -> None:
    texts = rows(40)
    drawn = [read_architecture(text) for text in texts]
    costs = [measured("raspi4")[text] for text in texts]
    weights = LAYOUT.one_hots([read_architecture(text) for text in rows(60)])
    one, other = (fit_predictor(LAYOUT, drawn, costs) for _ in range(2))
    assert one(weights).equal(other(weights))
    assert one.margin == other.margin


def test_it_is_differentiable_in_the_weights() -> None:
    found, _, _ = learned("raspi4")
    weights = torch.rand(6, 5, dtype=torch.float64).softmax(dim=-1).requires_grad_()
    assert torch.autograd.gradcheck(found, (weights,), fast_mode=True)
    single = weights.detach().float().requires_grad_()
    predicted = found(single)
    predicted.backward()
    assert predicted.dtype == torch.float32
    assert single.grad is not None
    assert single.grad.dtype == torch.float32
    assert single.grad.any()


class Elsewhere(Tensor):
    """Stands for weights on a GPU: all it does is come to the CPU, and go back with the result."""

    @classmethod
    @override
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        assert func in (Tensor.cpu, Tensor.to), "what was learned lies on the CPU"
        found: Any = super().__torch_function__(func, types, args, kwargs)
        return found.as_subclass(Tensor if func is Tensor.cpu else cls)


def test_weights_may_be_on_another_device() -> None:
    found, _, _ = learned("raspi4")
    weights = torch.rand(6, 5).softmax(dim=-1)
    predicted = found(weights.as_subclass(Elsewhere))
    assert isinstance(predicted, Elsewhere)
    assert torch.equal(predicted.cpu(), found(weights))


def sampled(values: dict[str, float]) -> MeasuredCost:
    return MeasuredCost(name="latency_ms", layout=LAYOUT, known=values)


def test_measured_costs_are_exact_and_predictions_have_a_margin() -> None:
    known = {text: measured("raspi4")[text] for text in rows(150)}
    cost = sampled(known)
    new = [text for text in rows(180) if text not in known]
    architectures = [read_architecture(text) for text in new]
    for text in list(known)[:5]:
        one = read_architecture(text)
        assert cost.of(one) == cost.bound(one) == known[text]
    margins = [cost.bound(one) - cost.of(one) for one in architectures]
    floored = [cost.of(one) == min(known.values()) / 2 for one in architectures]
    assert margins == pytest.approx(
        [m if f else cost.predictor.margin for m, f in zip(margins, floored, strict=True)]
    )
    assert cost.bounds(architectures) == [cost.bound(one) for one in architectures]
    weights = LAYOUT.one_hot(architectures[0])
    assert float(cost.expected(weights)) == pytest.approx(cost.of(architectures[0]))
    budget = Budget(cost, 10.0)
    assert budget.ratio(architectures[0]) == cost.bound(architectures[0]) / 10
    assert budget.ratios(architectures) == [budget.ratio(one) for one in architectures]
    assert cost.vectorised


def test_the_least_possible_holds_its_own_budget() -> None:
    cost = sampled({text: measured("fpga")[text] for text in rows(80)})
    least, found = cost.least()
    assert Budget(cost, least).holds(found)
    assert not Budget(cost, least * 0.99).holds(found)


@pytest.mark.parametrize("costs", [[1.0, 2.0], [3.0, 3.0], [1.0, 1.0, 5.0]])
def test_tables_of_next_to_nothing_still_say_something(costs: Sequence[float]) -> None:
    cost = sampled(dict(zip(rows(len(costs)), costs, strict=True)))
    new = read_architecture(CELL)
    assert min(costs) / 2 <= cost.of(new) <= cost.bound(new) < 20


def test_an_architecture_of_another_space_is_refused() -> None:
    cost = sampled(dict.fromkeys(rows(2), 1.0))
    other: Architecture = read_architecture("darts-v2")
    with pytest.raises(GenotypeError, match="is of space darts, not nasbench201"):
        cost.bound(other)
