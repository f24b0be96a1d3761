"""The augmented Lagrangian brings expected costs within their limits, and then lets go."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from archwright.cost import CostModel, DecisionTable, cost_model
from archwright.engine.runs.log import RunLog
from archwright.graph import Architecture
from archwright.nas.budget.augmented_lagrangian import AugmentedLagrangian
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.regularity import Regularity
from archwright.spaces import Size, get_space, read_architecture
from archwright.spaces.discretise import discretise

SIZES = {
    "nasbench201": Size(channels=8, cells=1, image_size=8),
    "darts": Size(channels=8, cells=3, image_size=8),
    "spos": Size(channels=8, cells=4, image_size=16),
}


def table_of(space: str) -> DecisionTable:
    return DecisionTable(get_space(space), SIZES[space])


def strongest(table: DecisionTable, weights: Mapping[str, Sequence[float]]) -> Architecture:
    return discretise(table.space, table.size, weights, null=True)


def lagrangian_of(
    table: DecisionTable,
    budgets: Sequence[Budget] = (),
    objective: Sequence[tuple[CostModel, float]] = (),
    *,
    steps: int = 200,
    regularity: float = 0.0,
) -> AugmentedLagrangian:
    return AugmentedLagrangian(
        table,
        budgets,
        objective,
        lambda weights: strongest(table, weights),
        ranks_none=True,
        steps=steps,
        regularity=regularity,
    )


def by_name(table: DecisionTable, rows: Tensor) -> dict[str, list[float]]:
    return {
        decision.name: row[: len(decision.candidates)].tolist()
        for decision, row in zip(table.decisions, rows.detach(), strict=True)
    }


def descend(
    table: DecisionTable, lagrangian: AugmentedLagrangian, wish: Tensor, steps: int = 200
) -> Tensor:
    """The logits [E, O] at the end of a search whose task loss wants the candidates in `wish`."""
    padding = torch.where(table.present > 0, 0.0, -torch.inf).double()
    logits = torch.zeros_like(padding, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        strengths = (logits + padding).softmax(dim=-1)
        task = -(strengths * wish).sum(dim=-1).mean()
        (task + lagrangian.penalty(table.decisions, strengths)).backward()
        optimiser.step()
        lagrangian.update_multipliers(by_name(table, (logits + padding).softmax(dim=-1)))
    return (logits + padding).softmax(dim=-1).detach()


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("part", [0.1, 0.4])
def test_the_same_defaults_hold_budgets_on_every_space(space: str, part: float) -> None:
    """The task wants the dearest candidate everywhere; what is derived is within the budget."""
    table = table_of(space)
    cost = cost_model("macs", table.space, table.size)
    relative = cost.surrogate.table / cost.surrogate.table.max(dim=1, keepdim=True).values
    # edges differ in how much they gain, or else all of them would give in at the same step
    wish = relative * torch.linspace(0.5, 1.0, len(relative), dtype=torch.float64)[:, None]
    free = descend(table, lagrangian_of(table), wish)
    dearest = strongest(table, by_name(table, free))
    limit = cost.least()[0] + part * (cost.of(dearest) - cost.least()[0])
    lagrangian = lagrangian_of(table, [Budget(cost, limit)])
    weights = descend(table, lagrangian, wish)
    assert cost.of(dearest) > limit
    assert float(lagrangian.multipliers) > 0
    # next to nothing is left of the excess: the derivation, which is exact, does the rest
    left = float(cost.expected(lagrangian.expected_selection(weights))) - limit
    assert left < 0.15 * (cost.of(dearest) - limit)


def test_multipliers_rise_while_a_budget_is_exceeded_and_fall_when_it_is_met() -> None:
    table = table_of("nasbench201")
    cost = cost_model("macs", table.space, table.size)
    heavy, light = (
        table.one_hot(
            read_architecture("|" + f"{name}~0|+|{name}~0|{name}~1|+|{name}~0|{name}~1|{name}~2|")
        )
        for name in ("nor_conv_3x3", "skip_connect")
    )
    limit = (cost.of(strongest(table, by_name(table, heavy))) + cost.least()[0]) / 2
    lagrangian = lagrangian_of(table, [Budget(cost, limit)], steps=100)
    seen: list[float] = []
    for rows in (heavy, heavy, light, light, light, light):
        lagrangian.update_multipliers(by_name(table, rows))
        seen.append(float(lagrangian.multipliers))
    assert 0 < seen[0] < seen[1]
    assert seen[2] < seen[1]
    assert seen[-1] == 0.0
    assert lagrangian.record()["strongest_costs"]["macs"] == pytest.approx(
        cost.of(strongest(table, by_name(table, light)))
    )


def test_a_cost_that_was_not_measured_is_none_in_the_log(tmp_path: Path) -> None:
    table = DecisionTable(get_space("nasbench201"), Size(channels=16, cells=5))
    cost = cost_model("latency_ms", table.space, table.size, latency_device="edgetpu")
    c, p = "nor_conv_3x3", "avg_pool_3x3"
    unknown = read_architecture(f"|{c}~0|+|none~0|none~1|+|{p}~0|{c}~1|{c}~2|")
    assert cost.of(unknown) == math.inf
    lagrangian = lagrangian_of(table, [Budget(cost, 1.0)])
    lagrangian.update_multipliers(by_name(table, table.one_hot(unknown)))
    assert float(lagrangian.multipliers) > 0
    RunLog(tmp_path / "log.jsonl").write("epoch", **lagrangian.record())
    (written,) = RunLog(tmp_path / "log.jsonl").records()
    assert written["strongest_costs"] == {"latency_ms": None}


def test_a_budget_that_is_met_adds_nothing() -> None:
    table = table_of("nasbench201")
    cost = cost_model("macs", table.space, table.size)
    lagrangian = lagrangian_of(table, [Budget(cost, 1e12)])
    strengths = torch.full((6, 5), 0.2, requires_grad=True)
    penalty = lagrangian.penalty(table.decisions, strengths)
    penalty.backward()
    assert float(penalty.detach()) == 0.0
    assert strengths.grad is not None
    assert not strengths.grad.any()


def test_what_an_objective_weighs_is_a_part_of_all_alike() -> None:
    table = table_of("nasbench201")
    cost = cost_model("params", table.space, table.size)
    lagrangian = lagrangian_of(table, objective=[(cost, 0.3)])
    even = torch.tensor([[0.0, 0.25, 0.25, 0.25, 0.25]] * 6, dtype=torch.float64)
    assert float(lagrangian.penalty(table.decisions, even)) == pytest.approx(0.3)


def test_regularity_is_one_term_more() -> None:
    table = table_of("nasbench201")
    lagrangian = lagrangian_of(table, regularity=0.5)
    one, all_four = (
        torch.tensor(rows, dtype=torch.float64)
        for rows in (
            [[0.0, 0.0, 0.0, 1.0, 0.0]] * 6,
            [[0.0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0], [0, 0, 0, 1.0, 0], *[[0, 0, 0, 0, 1.0]] * 3],
        )
    )
    assert float(lagrangian.penalty(table.decisions, one)) == pytest.approx(0.5 / 4)
    assert float(lagrangian.penalty(table.decisions, all_four)) == pytest.approx(0.5)


def test_irregular_is_what_has_many_operations_and_no_pattern() -> None:
    irregular = Regularity(table_of("nasbench201"))

    def of(text: str) -> float:
        return irregular.of(read_architecture(text))

    c, s = "nor_conv_3x3", "skip_connect"
    plain = of(f"|{c}~0|+|{c}~0|{c}~1|+|{c}~0|{c}~1|{c}~2|")
    two = of(f"|{c}~0|+|{s}~0|{c}~1|+|{s}~0|{s}~1|{c}~2|")
    repeated = of(f"|{c}~0|+|none~0|{c}~1|+|none~0|none~1|{c}~2|")
    wild = of("|nor_conv_1x1~0|+|avg_pool_3x3~0|" + f"{c}~1|+|{s}~0|{c}~1|avg_pool_3x3~2|")
    assert repeated == pytest.approx((1 / 4 + 1 / 3) / 2)
    assert repeated < plain < two < wild == 1.0
