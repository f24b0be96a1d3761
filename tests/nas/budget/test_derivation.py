"""Derivation within budgets: exact where everything is ranked, near it where there is too much."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from unittest.mock import Mock

import networkx as nx
import numpy as np
import pytest

from archwright.cost import DecisionTable, cost_model, peak_bytes
from archwright.cost.expected.model import AdditiveCostModel, CostModel
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.nas.budget import derivation as module
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.budget.derivation import Derivation
from archwright.nas.budget.discrete_space import DiscreteSpace
from archwright.nas.budget.milp_solver import MilpSolver
from archwright.spaces import Size, get_space, read_architecture
from archwright.spaces.discretise import discretise, is_connected

SIZE = Size(channels=8, cells=1, image_size=8)
THREE = ("none", "skip_connect", "nor_conv_3x3")
"""Candidates of a part of NAS-Bench-201 with 729 architectures."""
HEAVY = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+" + "|nor_conv_3x3~{}" * 3 + "|"
HEAVY = HEAVY.format(0, 1, 2)


@pytest.fixture(scope="module")
def table() -> DecisionTable:
    return DecisionTable(get_space("nasbench201"), SIZE)


@pytest.fixture(scope="module")
def few(table: DecisionTable) -> dict[str, tuple[str, ...]]:
    return {decision.name: THREE for decision in table.decisions}


@pytest.fixture(scope="module")
def usable(table: DecisionTable, few: dict[str, tuple[str, ...]]) -> list[Architecture]:
    """Those of the part whose logits depend on the image."""
    choices = DiscreteSpace(table, few)
    every = (choices.architecture(picks) for picks in choices.all)
    return [one for one in every if is_connected(table.space, one, table.size)]


def random_weights(table: DecisionTable, seed: int) -> dict[str, list[float]]:
    generator = np.random.default_rng(seed)
    return {
        decision.name: generator.dirichlet([0.5] * len(decision.candidates)).tolist()
        for decision in table.decisions
    }


def score(table: DecisionTable, weights: Mapping[str, Sequence[float]], one: Architecture) -> float:
    """Where edges may be null: the sum of log(strength / null's) over those on some way."""
    if table.space.name != "nasbench201":
        return sum(
            math.log1p(weights[name][table.at(name, taken)[1]] * len(weights[name]))
            for name, taken in one.answers().items()
        )
    graph = nx.DiGraph()
    for name, taken in one.answers().items():
        source, target = name.removeprefix("cell/").split("->")
        if taken != "none":
            graph.add_edge(source, target, name=name, taken=taken)
    ways = [list(nx.utils.pairwise(way)) for way in nx.all_simple_paths(graph, "0", "3")]
    live = {graph.edges[edge]["name"]: graph.edges[edge]["taken"] for way in ways for edge in way}
    return sum(
        math.log(weights[name][table.at(name, taken)[1]] / weights[name][0])
        for name, taken in live.items()
    )


def budgets_of(table: DecisionTable, **parts: float) -> tuple[Budget, ...]:
    """Budgets so far from the least possible to what the cell of 3x3 convs takes."""
    heavy = read_architecture(HEAVY)
    models = {name: cost_model(name, table.space, table.size) for name in parts}
    return tuple(
        Budget(models[name], (1 - part) * models[name].least()[0] + part * models[name].of(heavy))
        for name, part in parts.items()
    )


def opposed(table: DecisionTable) -> tuple[CostModel, CostModel]:
    """Two costs of which one is small where the other is large."""
    macs = cost_model("macs", table.space, table.size)
    assert isinstance(macs, AdditiveCostModel)
    reversed_ = replace(macs, name="params", parts=macs.parts.times(-1.0))
    return macs, replace(reversed_, parts=replace(reversed_.parts, constant=2e6))


# What adds up, what does not, and both
LIMITS: list[dict[str, float]] = [
    {"macs": 0.4},
    {"memory_mb": 0.5},
    {"params": 0.35, "memory_mb": 0.8},
    {"macs": 0.7, "params": 0.5, "size_mb": 0.6},
]


@pytest.mark.parametrize("limits", LIMITS)
def test_enumeration_is_brute_force(
    table: DecisionTable,
    few: dict[str, tuple[str, ...]],
    usable: list[Architecture],
    limits: dict[str, float],
) -> None:
    budgets, weights = budgets_of(table, **limits), random_weights(table, 0)
    derivation = Derivation(table, budgets, ranks_none=True, allowed=few)
    within = [one for one in usable if all(budget.holds(one) for budget in budgets)]
    ranked = sorted(within, key=lambda one: -score(table, weights, one))
    found = derivation.top(weights, 5)
    assert found == ranked[: len(found)]
    assert derivation.derive(weights) == found[0]
    assert len(found) == min(5, len(ranked))


@pytest.mark.parametrize("limits", LIMITS)
def test_program_comes_near_enumeration(
    table: DecisionTable, few: dict[str, tuple[str, ...]], limits: dict[str, float]
) -> None:
    budgets = budgets_of(table, **limits)
    exact = Derivation(table, budgets, ranks_none=True, allowed=few)
    witness = exact.derive({})
    program = MilpSolver(DiscreteSpace(table, few), budgets, witness)
    same = 0
    for seed in range(4):
        weights = random_weights(table, seed)
        best = exact.derive(weights)
        found = program.best(exact.scores(weights))
        assert found is not None
        assert all(budget.holds(found) for budget in budgets)
        assert is_connected(table.space, found, table.size)
        assert score(table, weights, found) <= score(table, weights, best) + 1e-9
        if all(budget.adds_up for budget in budgets):
            assert score(table, weights, found) >= score(table, weights, best) - 1e-6
        same += score(table, weights, found) >= score(table, weights, best) - 1e-9
    assert same >= 3


def test_the_program_lists_the_best(table: DecisionTable, few: dict[str, tuple[str, ...]]) -> None:
    budgets, weights = budgets_of(table, macs=0.7), random_weights(table, 3)
    exact = Derivation(table, budgets, ranks_none=True, allowed=few)
    scores = exact.scores(weights)
    found = MilpSolver(DiscreteSpace(table, few), budgets, None).top(scores, 8)
    values = [score(table, weights, one) for one in found]
    assert len(set(found)) == 8
    assert values == sorted(values, reverse=True)
    assert all(budgets[0].holds(one) for one in found)
    assert found[0] == exact.derive(weights)
    best = exact.top(weights, 8)
    assert [score(table, weights, one) for one in best] == pytest.approx(values)


@pytest.mark.parametrize("space", ["darts", "spos", "toponas-4"])
def test_large_spaces_hold_their_budgets(space: str) -> None:
    size = Size(channels=8, cells=4 if space == "spos" else 3, image_size=16)
    table = DecisionTable(get_space(space), size)
    weights = random_weights(table, 0)
    free = Derivation(table, (), ranks_none=False).derive(weights)
    strongest = discretise(table.space, size, weights, null=False)
    # edges are ranked by their weight there, and sums of logarithms here
    assert score(table, weights, free) >= score(table, weights, strongest) - 1e-9
    cost = cost_model("macs", table.space, size)
    limit = (cost.least()[0] + cost.of(free)) / 2
    found = Derivation(table, (Budget(cost, limit),), ranks_none=False).top(weights, 4)
    assert all(cost.of(one) <= limit * (1 + 1e-9) for one in found)
    assert len(found) > 1


def test_a_cell_that_does_not_use_its_input_is_never_the_answer(table: DecisionTable) -> None:
    nothing = {d.name: [1.0, 0.0, 0.0, 0.0, 0.0] for d in table.decisions}  # all none
    for budgets in ((), budgets_of(table, macs=1.0)):
        found = Derivation(table, budgets, ranks_none=True).derive(nothing)
        assert is_connected(table.space, found, table.size)
        assert sum(name != "none" for name in found.answers().values()) == 1


def test_null_wins_by_its_own_weight_only_where_it_may(table: DecisionTable) -> None:
    weights = {d.name: [0.6, 0.3, 0.05, 0.03, 0.02] for d in table.decisions}
    with_null = Derivation(table, (), ranks_none=True).derive(weights)
    without = Derivation(table, (), ranks_none=False).derive(weights)
    assert "none" in with_null.answers().values()
    assert set(without.answers().values()) == {"skip_connect"}


def test_what_was_dropped_is_not_derived(table: DecisionTable) -> None:
    weights = random_weights(table, 0)
    allowed = {d.name: ("none", "avg_pool_3x3") for d in table.decisions}
    found = Derivation(table, (), ranks_none=True, allowed=allowed).derive(weights)
    assert set(found.answers().values()) <= {"none", "avg_pool_3x3"}
    gone = {**allowed, table.decisions[0].name: ()}
    assert not Derivation(table, (), ranks_none=True, allowed=gone).feasible


def test_what_weights_speak_for_is_of_what_is_left(table: DecisionTable) -> None:
    constraints = SearchConstraints(table.space, SIZE, ranks_none=False, deployed=SIZE)
    weights = {d.name: [0.6, 0.25, 0.1, 0.05, 0.0] for d in table.decisions}
    every = {d.name: d.candidates for d in table.decisions}
    assert constraints.narrowed(every).strongest(weights) == constraints.strongest(weights)
    gone, without, *_ = every
    left = {**every, gone: ("none",), without: ("none", "nor_conv_1x1", "nor_conv_3x3")}
    weights |= {gone: [1.0, 0.0, 0.0, 0.0, 0.0], without: [0.9, 0.0, 0.1, 0.0, 0.0]}
    found = constraints.narrowed(left).strongest(weights).answers()
    assert found.pop(gone) == "none"
    assert found.pop(without) == "nor_conv_1x1"
    assert set(found.values()) == {"skip_connect"}
    with_null = replace(constraints, ranks_none=True).narrowed(left).strongest(weights)
    assert set(with_null.answers().values()) == {"none"}


def test_what_weights_speak_for_is_of_what_is_left_of_darts() -> None:
    size = Size(channels=8, cells=3, image_size=16)
    table = DecisionTable(get_space("darts"), size)
    weights = random_weights(table, 0)
    left = {d.name: () if "0->" in d.name else d.candidates[2:5] for d in table.decisions}
    constraints = SearchConstraints(table.space, size, ranks_none=False, deployed=size).narrowed(
        left
    )
    found = constraints.strongest(weights).answers()
    assert all(name not in found for name in left if "0->3" in name or "0->4" in name)
    assert all(taken in left[name] for name, taken in found.items() if left[name])


def test_drawn_architectures_are_within_the_budgets(
    table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = budgets_of(table, macs=0.4)
    for limit in (200_000, 10):  # by enumeration, then where there are too many
        monkeypatch.setattr(module, "ENUMERABLE", limit)
        derivation = Derivation(table, budgets, ranks_none=True)
        drawn = derivation.draw(10, seed=0)
        assert drawn == derivation.draw(10, seed=0)
        assert len(set(drawn)) > 5
        assert all(budgets[0].holds(one) for one in drawn)


def test_the_span_of_a_cost(
    table: DecisionTable,
    few: dict[str, tuple[str, ...]],
    usable: list[Architecture],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cost = cost_model("macs", table.space, table.size)
    costs = [cost.of(one) for one in usable]
    ends = (min(costs), max(costs))
    assert Derivation(table, (), True, few).cost_range(cost) == pytest.approx(ends)
    middle = sum(ends) / 2
    held = Derivation(table, (Budget(cost, middle),), True, few)
    assert held.cost_range(cost) == pytest.approx((ends[0], middle))
    monkeypatch.setattr(module, "ENUMERABLE", 10)
    assert Derivation(table, (), True).cost_range(cost) == pytest.approx(ends)


def test_the_span_heeds_the_other_budgets_in_a_large_space_too(
    table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    macs, other = opposed(table)
    budgets = (Budget(macs, 6e5), Budget(other, 1.8e6))
    exact, _ = Derivation(table, budgets, ranks_none=True).cost_range(macs)
    monkeypatch.setattr(module, "ENUMERABLE", 10)
    constraints = SearchConstraints(*(table.space, SIZE, True, SIZE, budgets), front=macs)
    limits = constraints.epsilon_constraints(3)
    assert macs.least()[0] < exact <= limits[0][0] < limits[-1][0] == 6e5
    assert all(within.is_feasible for _, within in limits)


def test_an_infeasible_budget_names_the_least_that_is_possible(table: DecisionTable) -> None:
    cost = cost_model("macs", table.space, table.size)
    least, one = cost.least()
    Derivation(table, (Budget(cost, least),), ranks_none=True).require_feasible()
    assert is_connected(table.space, one, table.size)
    with pytest.raises(
        ConfigError,
        match=rf"^--max-macs 10 is infeasible: the smallest possible is {least:,.0f} "
        r"\(nasbench201 at channels 8, cells 1, classes 10, images 3x8x8\)$",
    ):
        Derivation(table, (Budget(cost, 10.0),), ranks_none=True).require_feasible()


@pytest.mark.parametrize(("name", "cells"), [("nasbench201", 5), ("spos", 8)])
def test_a_peak_that_no_network_has_is_refused_without_a_look_at_all_of_them(
    monkeypatch: pytest.MonkeyPatch, name: str, cells: int
) -> None:
    read = Mock(side_effect=peak_bytes)
    monkeypatch.setattr("archwright.cost.peak.peak_bytes", read)
    table = DecisionTable(get_space(name), Size(channels=8, cells=cells, image_channels=1))
    cost = cost_model("memory_mb", table.space, table.size)
    least = cost.least()[0]
    Derivation(table, (Budget(cost, least),), ranks_none=True).require_feasible()
    for limit in (least / 10, least * 0.999):
        with pytest.raises(
            ConfigError,
            match=rf"^--max-memory-mb {limit:g} is infeasible: the smallest possible is "
            rf"{least:.4g} MB \({name} at channels 8, cells {cells}, classes 10, images 1x32x32\)$",
        ):
            Derivation(table, (Budget(cost, limit),), ranks_none=True).require_feasible()
    assert read.call_count < 500


def test_budgets_may_be_infeasible_together(
    table: DecisionTable, few: dict[str, tuple[str, ...]]
) -> None:
    macs, reversed_ = opposed(table)
    budgets = (Budget(macs, macs.least()[0] * 1.01), Budget(reversed_, 1.8e6))
    assert all(Derivation(table, (one,), True, few).feasible for one in budgets)
    with pytest.raises(
        ConfigError,
        match=r"^--max-macs [\d.e+]+ and --max-params 1.8e\+06 are infeasible together "
        r"\(nasbench201 at channels 8, cells 1, classes 10, images 3x8x8\): the smallest possible "
        r"of each alone is --max-macs [\d,]+, --max-params [\d,]+$",
    ):
        Derivation(table, budgets, True, few).require_feasible()


def test_of_several_budgets_the_one_that_fails_alone_is_named(table: DecisionTable) -> None:
    macs, params = (cost_model(name, table.space, table.size) for name in ("macs", "params"))
    with pytest.raises(ConfigError, match=r"^--max-params 3 is infeasible: the smallest possible"):
        Derivation(table, (Budget(macs, 1e9), Budget(params, 3.0)), True).require_feasible()


def test_of_equals_the_one_that_spends_most_is_taken(
    table: DecisionTable, few: dict[str, tuple[str, ...]], usable: list[Architecture]
) -> None:
    (budget,) = budgets_of(table, macs=0.4)
    uniform = {d.name: [1 / len(d.candidates)] * len(d.candidates) for d in table.decisions}
    found = Derivation(table, (budget,), ranks_none=True, allowed=few, budget_use_bonus=1.0).derive(
        uniform
    )
    live = cost_model("macs", table.space, table.size).of(found)
    within = [one for one in usable if budget.holds(one)]
    assert budget.holds(found)
    assert live == max(budget.cost.of(one) for one in within if in_use(one))


def in_use(one: Architecture) -> bool:
    """Whether nothing but null is picked where nothing leads (nodes of NAS-Bench-201)."""
    taken = {name.removeprefix("cell/"): value != "none" for name, value in one.answers().items()}
    fed1, fed2 = taken["0->1"], taken["0->2"] or (taken["0->1"] and taken["1->2"])
    used2 = taken["2->3"]
    used1 = taken["1->3"] or (taken["1->2"] and used2)
    dead = [
        (taken["0->1"] and not used1) or (taken["0->2"] and not used2),
        taken["1->2"] and not (fed1 and used2),
        (taken["1->3"] and not fed1) or (taken["2->3"] and not fed2),
    ]
    return not any(dead)


@pytest.mark.parametrize("seed", range(5))
def test_a_budget_that_the_strongest_holds_changes_nothing(table: DecisionTable, seed: int) -> None:
    weights = random_weights(table, seed)
    cost = cost_model("macs", table.space, table.size)
    free = SearchConstraints(table.space, SIZE, ranks_none=False, deployed=SIZE)
    strongest = free.derive(weights)
    held = replace(free, budgets=(Budget(cost, cost.of(strongest)),), budget_use_bonus=2.0)
    assert held.derive(weights) == strongest
    assert held.top(weights, 3)[0] == strongest
    tight = replace(
        free,
        budgets=(Budget(cost, (cost.least()[0] + cost.of(strongest)) / 2),),
        budget_use_bonus=2.0,
    )
    assert tight.feasible(tight.derive(weights))


def test_the_best_are_told_apart_by_what_they_do(table: DecisionTable) -> None:
    (budget,) = budgets_of(table, macs=0.2)
    found = Derivation(table, (budget,), ranks_none=False).top(random_weights(table, 1), 40)
    assert len(found) == 40
    assert all(in_use(one) for one in found)
