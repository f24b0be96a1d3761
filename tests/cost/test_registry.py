"""The contract of every cost in the registry, and a cost that another distribution adds."""

import json
import math
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archwright.cost import COSTS, CostContext, DecisionTable
from archwright.cost import registry as module
from archwright.cost.contract import Cost
from archwright.cost.files import write_rows
from archwright.cost.latency import operations
from archwright.cost.registry import budget_costs, get_cost, target_costs
from archwright.errors import ConfigError
from archwright.nas.budget.budget import Budget, costs_from_json, costs_to_json
from archwright.nas.config import SearchConfig
from archwright.pipeline.config import BuildConfig
from archwright.pruning.config import PruneConfig
from archwright.report.budgets import BudgetCheck, budgets
from archwright.spaces import Size, get_space
from archwright.spaces.discretise import random_architecture

SPACES = {
    "nasbench201": Size(channels=4, cells=1, image_size=8),
    "darts": Size(channels=4, cells=3, image_size=16),
    "spos": Size(channels=8, cells=4, image_size=64),
}
OUT = Path("out")


@pytest.fixture(params=COSTS)
def cost(request: pytest.FixtureRequest) -> Cost:
    return COSTS[request.param]


@pytest.fixture(params=SPACES)
def layout(request: pytest.FixtureRequest) -> DecisionTable:
    return DecisionTable(get_space(request.param), SPACES[request.param])


def context(cost: Cost, layout: DecisionTable, folder: Path) -> CostContext:
    """What the cost needs: measured ones get a table of all operations."""
    if cost.kind != "measured":
        return CostContext()
    rows = [
        {"operation": one.name, "input": one.input, "output": one.output, cost.name: 0.5 + number}
        for number, one in enumerate(operations(layout))
    ]
    write_rows(folder / "table.csv", rows)
    return CostContext(latency_table=folder / "table.csv")


def test_the_expected_cost_is_the_cost_at_one_hot_weights(
    cost: Cost, layout: DecisionTable, tmp_path: Path
) -> None:
    given = context(cost, layout, tmp_path)
    assert cost.available(given)
    model, generator = cost.build(layout, given), np.random.default_rng(0)
    assert (model.name, model.layout) == (cost.name, layout)
    for _ in range(2):
        one = random_architecture(layout.space, layout.size, generator)
        exact, expected = model.of(one), float(model.expected(layout.one_hot(one)))
        assert 0 < exact < math.inf
        read = cost.of_network(layout.space.discrete(one, layout.size), given)
        assert (read is None) == (cost.kind == "measured")
        assert read is None or exact == pytest.approx(read)
        if cost.kind == "fitted":  # a sum that comes near: the search's guide, not its judge
            assert expected == float(model.surrogate(layout.one_hot(one)))
            assert 0.2 < expected / exact < 5
        else:
            assert expected == pytest.approx(exact)


def test_texts_are_there(cost: Cost) -> None:
    assert cost is get_cost(cost.name)
    assert cost.name.isidentifier()
    assert cost.title
    assert cost.unit
    for text in filter(None, (cost.budget_help, cost.target_help)):
        assert text.endswith(".")
        assert "\n" not in text
    assert cost.flag == "--max-" + cost.name.replace("_", "-")
    assert cost.heading.startswith(cost.title)


def test_it_is_an_option_where_it_says_so(cost: Cost) -> None:
    in_search, in_prune, in_build = (
        {field.name for field in fields(config)}
        for config in (SearchConfig, PruneConfig, BuildConfig)
    )
    assert (cost.option in in_search) == (cost.option in in_build) == bool(cost.budget_help)
    assert (cost.name in in_prune) == (cost.name in in_build) == bool(cost.target_help)
    assert (cost.name in budget_costs(), cost.name in target_costs()) == (
        bool(cost.budget_help),
        bool(cost.target_help),
    )


@pytest.mark.parametrize("name", [n for n, one in target_costs().items() if not one.profiled])
def test_pruning_targets_are_computed_from_a_network(name: str) -> None:
    space, size = get_space("nasbench201"), SPACES["nasbench201"]
    network = space.discrete(random_architecture(space, size, np.random.default_rng(0)), size)
    assert get_cost(name).of_network(network, CostContext()) is not None


def test_limits_are_compared_and_kept(cost: Cost) -> None:
    assert cost.holds(3.0, 3.0)
    assert cost.holds(0.1 + 0.2, 0.3)  # one digit above, by rounding
    assert not cost.holds(3.0001, 3.0)
    assert not cost.holds(math.inf, 3.0)
    target = cost.as_target(3.0, CostContext(weight_bytes=1))
    assert target is None or target[0] in target_costs()
    assert (target is not None) or not cost.target_help
    check = BudgetCheck(cost=cost.name, limit=3.0, predicted=3.0, value=3.0, measured=False)
    assert check.holds


def test_it_prints_and_serialises(cost: Cost, tmp_path: Path) -> None:
    layout = DecisionTable(get_space("nasbench201"), SPACES["nasbench201"])
    assert cost.format(12.345) == ("12" if cost.count else f"12.35 {cost.unit}")
    check = BudgetCheck(cost=cost.name, limit=3.0, predicted=3.0, value=3.5, measured=False)
    (row,) = budgets([check])
    assert (row["name"], row["holds"]) == (cost.heading, "no")
    budget = Budget(cost.build(layout, context(cost, layout, tmp_path)), 3.0)
    assert (budget.flag, budget.number(7)) == (cost.flag, cost.format(7))
    held = costs_to_json({cost.name: 3.5})
    assert costs_from_json(json.loads(json.dumps(held))) == {cost.name: 3.5}
    if cost.budget_help:
        options: dict[str, Any] = {cost.option: 3.0}
        if cost.kind == "measured":
            options["latency_table"] = Path("t.csv")
        config = SearchConfig(out=OUT, **options)
        assert config.limits == {cost.name: 3.0}
        assert json.loads(json.dumps(config.settings()))[cost.option] == 3.0


def test_an_unknown_cost_is_named() -> None:
    with pytest.raises(ConfigError, match="latency_ms"):
        get_cost("latency")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "archwright.errors:ConfigError",
            r"archwright.errors:ConfigError .* is not a Cost: make it",
        ),
        ("archwright.nowhere:COST", r"archwright.nowhere:COST cannot be loaded \(ModuleNotFound"),
        ("archwright.cost.definitions.macs:MACS", "a cost macs exists already: rename this one"),
    ],
)
def test_a_wrong_entry_point_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setattr(module, "plugins", {module.GROUP: {"one": value}}.__getitem__)
    with pytest.raises(ConfigError, match=message):
        module._registered()


TOY = """
from archwright.cost.contract import Cost


class Steps(Cost):
    kind = "exact"

    def build(self, layout, context):
        from archwright.cost.expected.additive import additive
        from archwright.cost.expected.model import AdditiveCostModel

        parts = additive(layout, lambda place: float(place.modules))
        return AdditiveCostModel(name=self.name, layout=layout, parts=parts)

    def of_network(self, network, context):
        from archwright.graph import walk_network

        found = []
        walk_network(network, lambda module, shape: found.append(module))
        return len(found)


STEPS = Steps(name="steps", title="steps", unit="steps", count=True, budget_help="Most steps.",
              target_help="Most steps that are left.", inspect_text="steps in all")
"""
USE = """
import sys
from pathlib import Path
from archwright.cli import main

assert "torch" not in sys.modules
for name in ("search", "build", "prune"):
    main([name, "--help"])
cell = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|"
main(["inspect", "--architecture", cell])
from archwright.cost.registry import get_cost
from archwright.nas.config import SearchConfig
from archwright.report.budgets import BudgetCheck, budgets
config = SearchConfig(out=Path("out"), max_steps=3, objective="macs=1")
print("limits", config.limits)
check = BudgetCheck(cost="steps", limit=3, predicted=2, value=4, measured=False)
print("row", budgets([check])[0]["name"], get_cost("steps").format(4))
"""


def test_a_cost_of_another_distribution_is_a_budget_everywhere(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    info = tmp_path / "toy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{module.GROUP}]\nsteps = toy:STEPS\n")
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert text.count("--max-steps X") == 2, "search and build"
    assert text.count("--steps X") == 2, "prune and build"
    assert "Most steps. (default: no limit)" in " ".join(text.split())
    assert "steps in all: " in text
    assert "limits {'steps': 3.0}" in text
    assert "row steps 4" in text
