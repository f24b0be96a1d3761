"""diffgraph within budgets, with its encoder, and asked again for other budgets and for fronts."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from archwright.cost import DecisionTable, Encoding, cost_model
from archwright.errors import ConfigError, RunError
from archwright.graph import Network
from archwright.nas.budget.budget import Budget
from archwright.nas.budget.constraints import SearchConstraints
from archwright.nas.config import SearchConfig
from archwright.nas.derive import selection
from archwright.nas.derive.selection import OneShotEvaluator, ParetoPoint
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.run import build_run
from archwright.nas.loop.search import search
from archwright.nas.loop.trained import TrainedSupernet
from archwright.nas.methods import get_method
from archwright.nas.parameters.encoded import EncodedAlpha
from archwright.nas.parameters.graph_alpha import GraphAlpha
from archwright.spaces import Size, get_space, read_architecture

from ...engine.helpers import tiny_search, traces

SIZE = Size(channels=4, cells=1, image_size=8, image_channels=1)
DEPLOYED = {"deploy_channels": 4, "deploy_cells": 1, "deploy_image_size": 8}


def short(out: Path, **changes: Any) -> SearchConfig:
    settings: dict[str, Any] = {
        **{"method": "diffgraph", "epochs": 2, "draws": 2, "watch": False, "finalists": 3},
    }
    return tiny_search(out, **{**settings, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SearchConfig:
    """A search without budgets that has ended."""
    config = short(tmp_path_factory.mktemp("search") / "out", progressive=False)
    search(config)
    return config


def test_an_infeasible_budget_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^--max-params 100 is infeasible: the smallest possible is [\d,]+ \(nasbench201 at "
        r"channels 4, cells 1, classes 10, images 1x8x8\)$",
    ):
        search(short(tmp_path / "out", max_params=100.0, **DEPLOYED))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoder", [False, True])
def test_a_search_ends_within_its_budget_and_says_so(tmp_path: Path, encoder: bool) -> None:
    space = get_space("nasbench201")
    macs = cost_model("macs", space, SIZE)
    limit = macs.least()[0] * 1.1
    budgets = {"max_macs": limit, "max_size_mb": 1.0, **DEPLOYED}
    config = short(tmp_path / "out", encoder=encoder, **budgets)
    result = search(config)
    assert result.feasible is True
    assert result.costs is not None
    assert set(result.costs) == {"macs", "size_mb"}
    assert result.costs["macs"] == macs.of(result.architecture) <= limit
    assert SearchResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    epoch = next(r for r in traces(tmp_path / "out")["log"] if r["event"] == "epoch")
    assert set(epoch["multipliers"]) == {"macs", "size_mb"}


def test_one_supernet_answers_to_several_budgets(done: SearchConfig) -> None:
    asked = TrainedSupernet.load(done)
    macs = cost_model("macs", get_space("nasbench201"), SIZE)
    least, answers = macs.least()[0], list[float]()
    for times in (1.0, 2.0, 100.0):
        config = replace(done, max_macs=least * times, **DEPLOYED)
        answers.append(macs.of(asked.derive(config)))
        assert answers[-1] <= least * times * (1 + 1e-9)
    assert len(set(answers)) > 1
    loose = replace(done, max_macs=least * 100, **DEPLOYED)
    (log,) = (r for r in traces(done.out)["log"] if r["event"] == "result")
    assert asked.derive(loose) == read_architecture(log["architecture"])


def test_only_a_search_that_has_ended_is_asked_again(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^.*out has no completed search: run it to its end first$"):
        TrainedSupernet.load(short(tmp_path / "out"))


def test_a_front_from_one_supernet(tmp_path: Path) -> None:
    result = search(short(tmp_path / "out", pareto=4, finalists=1, **DEPLOYED))
    assert result.front is not None
    assert len(result.front) == 4
    limits = [point["limit"] for point in result.front]
    costs = [point["costs"]["macs"] for point in result.front]
    assert limits == sorted(limits)
    assert all(cost <= limit * (1 + 1e-9) for cost, limit in zip(costs, limits, strict=True))
    macs = cost_model("macs", get_space("nasbench201"), SIZE)
    assert limits[0] == costs[0] == macs.least()[0]  # to the last bit
    assert {point["cost"] for point in result.front} == {"macs"}
    assert len({point["architecture"] for point in result.front}) > 1
    written = json.loads((tmp_path / "out" / "front.json").read_text())
    assert written["front"] == list(result.front)
    assert result.costs is not None
    assert result.feasible is None
    assert SearchResult.from_json(result.to_json()) == result


def test_a_limit_that_nothing_holds_is_left_out_of_a_front(
    done: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = TrainedSupernet.load(done)
    macs = cost_model("macs", get_space("nasbench201"), SIZE)
    constraints = replace(asked.run.constraints, deployed=SIZE, front=macs)
    limits = [macs.least()[0] * times for times in (0.5, 1.0, 2.0)]
    along = [(x, replace(constraints, budgets=(Budget(macs, x),))) for x in limits]
    monkeypatch.setattr(SearchConstraints, "epsilon_constraints", lambda self, count: along)
    assert [
        point.limit for point in asked.evaluator.pareto_front(constraints, asked.weights, 3)
    ] == limits[1:]


def test_a_small_set_of_images_is_decoded_once(
    done: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = TrainedSupernet.load(done)
    batches, epochs = asked.run.alpha_batches, list[int]()
    assert len(batches) < selection._FIRST
    original = batches.epoch
    monkeypatch.setattr(batches, "epoch", lambda epoch: epochs.append(epoch) or original(epoch))
    asked.evaluator.successive_halving(asked.run.constraints.top(asked.weights, 4))
    asked.evaluator.accuracy(_found(done))
    assert epochs == [0]


def test_costs_that_are_not_known_are_none_in_json(done: SearchConfig) -> None:
    costs = {"latency_ms": math.inf, "macs": 1e6}
    found = SearchResult(_found(done), *(1, 2, 1, 2, 50.0, 1.0, done.out), costs=costs)
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["costs"] == {"latency_ms": None, "macs": 1e6}
    assert SearchResult.from_json(written) == found
    point = ParetoPoint(
        cost="macs", limit=1.0, architecture=_found(done), costs=costs, accuracy=50.0
    )
    assert point.to_json()["costs"] == written["costs"]


def test_finalists_are_ranked_by_loss_and_regularity(
    done: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = TrainedSupernet.load(done)
    constraints = asked.run.constraints
    c, s = "nor_conv_3x3", "skip_connect"
    plain = read_architecture(f"|{c}~0|+|none~0|{c}~1|+|none~0|none~1|{c}~2|")
    wild = read_architecture(f"|nor_conv_1x1~0|+|avg_pool_3x3~0|{c}~1|+|{s}~0|{c}~1|{s}~2|")
    losses = {plain: 1.0, wild: 0.9}
    monkeypatch.setattr(
        selection.OneShotEvaluator,
        "mean",
        lambda self, one, count: (losses[one], 100 * (1 - losses[one])),
    )
    bilevel = asked.bilevel

    def best(regularity: float) -> object:
        regular = replace(constraints, regularity=regularity)
        evaluator = OneShotEvaluator(bilevel, asked.run.alpha_batches, regular, finalists=2)
        return evaluator.successive_halving([plain, wild])

    assert best(0.0) == wild
    assert best(1.0) == plain


@pytest.mark.parametrize(("method", "usual"), [("darts", 16), ("diffgraph", 1)])
def test_finalists_are_compared_where_a_budget_excludes_the_strongest(
    done: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, usual: int
) -> None:
    if method == "darts":
        done = tiny_search(tmp_path / "out", epochs=2, watch=False)
        search(done)
    asked = TrainedSupernet.load(replace(done, finalists=None))
    compared: list[int] = []
    monkeypatch.setattr(
        selection.OneShotEvaluator,
        "successive_halving",
        lambda self, architectures, count=4: (
            compared.append(len(architectures)) or architectures[0]
        ),
    )
    cost = cost_model("macs", get_space("nasbench201"), SIZE)
    strongest = cost.of(asked.derive(done))
    for limit in (2 * strongest, (cost.least()[0] + strongest) / 2):
        asked.derive(replace(done, max_macs=limit, **DEPLOYED))
    assert compared == [1, 1, usual]


def test_asking_leaves_the_supernet_as_it_was(done: SearchConfig) -> None:
    asked = TrainedSupernet.load(done)
    network = asked.bilevel.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    asked.evaluator.accuracy(_found(done))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def _found(config: SearchConfig) -> Any:
    (log,) = (r for r in traces(config.out)["log"] if r["event"] == "result")
    return read_architecture(log["architecture"])


@pytest.mark.parametrize("space", ["nasbench201", "darts", "toponas-4"])
def test_the_encoder_adds_nothing_at_first_and_then_lets_edges_learn_together(space: str) -> None:
    size = Size(channels=4, cells=1 if space == "nasbench201" else 3, image_size=8)
    network: Network = get_space(space).supernet(size)
    table = DecisionTable(get_space(space), size)
    torch.manual_seed(0)
    own = GraphAlpha(network, deviation=1.0)
    encoded = EncodedAlpha.from_alpha(own, network, Encoding(table))
    assert torch.equal(encoded().candidates, own().candidates)
    optimiser = torch.optim.Adam(encoded.parameters(), lr=0.05)
    place = (1, 3)
    before = encoded().candidates.detach()
    for _ in range(5):
        optimiser.zero_grad()
        (-encoded().candidates[place]).backward()
        optimiser.step()
    moved = (encoded().candidates.detach() - before).nan_to_num()
    assert moved[place] > 0.1
    assert moved[[row for row in range(len(moved)) if row != 1], 3].mean() > 1e-3
    for parameter in encoded.parameters():
        assert parameter.grad is not None


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_the_encoder_moves_logits_no_faster_than_they_move_themselves(space: str) -> None:
    """A search's gradients have signs that change; steps of the full rate ran away with them."""
    size = Size(channels=4, cells=1 if space == "nasbench201" else 3, image_size=8)
    network: Network = get_space(space).supernet(size)
    torch.manual_seed(0)
    encoded = EncodedAlpha(network, Encoding(DecisionTable(get_space(space), size)), deviation=1e-3)
    optimiser = torch.optim.Adam(encoded.groups(0.03), betas=(0.5, 0.999))
    own = encoded.candidates.detach().clone()
    there = ~encoded().candidates.isinf()
    for _ in range(150):
        optimiser.zero_grad()
        said = encoded.raw()[1]
        (said * torch.randn(said.shape) * there).sum().backward()
        optimiser.step()
    by_itself = (encoded.candidates.detach() - own)[there].abs().mean()
    by_encoder = (encoded.raw()[1] - encoded.candidates).detach()[there].abs().mean()
    assert by_encoder < 2 * by_itself


def test_the_encoder_knows_of_latencies_where_they_have_a_say(tmp_path: Path) -> None:
    """At the size that is deployed, not at that which is searched."""
    shared: dict[str, Any] = {"data": "digits", "channels": 4, "cells": 1, "method": "diffgraph"}
    device: dict[str, Any] = {"latency_device": "raspi4", "deploy_image_size": 32}
    told = build_run(SearchConfig(**shared, out=tmp_path, **device, max_latency_ms=20))
    other = build_run(SearchConfig(**shared, out=tmp_path, max_macs=50_000_000))
    cost = told.constraints.budgets[0].cost
    assert cost.name == "latency_ms"
    assert told.constraints.encoding.latency is cost.surrogate.table
    assert other.constraints.encoding.latency is None
    known, unknown = (len(run.constraints.encoding.candidates[0, 0]) for run in (told, other))
    assert known == unknown + 1
    assert told.constraints.encoding.layout.size.cells == 5


def test_options_are_those_of_the_method() -> None:
    assert get_method("diffgraph").progressive_shrinking
    assert not get_method("diffgraph", progressive=False).progressive_shrinking
    for option in ("encoder", "progressive"):
        with pytest.raises(
            ConfigError, match=rf"^--{option} is no option of darts, but of diffgraph$"
        ):
            get_method("darts", **{option: True})
