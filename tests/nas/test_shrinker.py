"""What is dropped on the way: when, how surely, and that a search goes on as if nothing were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archwright.engine.runs.folder import RunFolder
from archwright.graph import Network
from archwright.graph.passes.shrinking import Shrinking
from archwright.graph.passes.simplification import Simplification, simplify
from archwright.lowering import FusedNetwork
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.budget.augmented_lagrangian import AugmentedLagrangian
from archwright.nas.config import SearchConfig
from archwright.nas.loop.search import search
from archwright.nas.method import Progress
from archwright.nas.methods import get_method
from archwright.nas.monitor.statistics import Weights
from archwright.nas.shrinker import ProgressiveShrinker, Schedule
from archwright.spaces import Size, get_space
from archwright.tasks import CLASSIFICATION

from ..engine.helpers import interrupted, tiny_search, traces

SIZE = Size(channels=4, cells=1, image_size=8, image_channels=1)
CANDIDATES = list(get_space("nasbench201").candidates)
LAST = Progress(6, 10, 0.7)
EARLY = Progress(3, 10, 0.4)


def supernet() -> Network:
    return get_space("nasbench201").supernet(SIZE)


def rows(*changes: tuple[int, list[float]]) -> Tensor:
    table = torch.full((6, 5), 0.2)
    for row, values in changes:
        table[row] = torch.tensor(values)
    return table


def watched(*tables: Tensor, times: int = 150, **schedule: float) -> ProgressiveShrinker:
    shrinker = ProgressiveShrinker(
        supernet(), alpha_start=0, schedule=Schedule(quota=1.0, **schedule)
    )
    shrinker.observe(rows())
    for _ in range(times):
        for table in tables:
            shrinker.observe(table)
    return shrinker


def yes(allowed: Any) -> bool:
    return True


WEAK = (0, [0.2, 0.3, 0.01, 0.39, 0.1])


def test_an_operation_of_little_weight_is_dropped() -> None:
    shrinker = watched(rows(WEAK))
    assert shrinker.prune(EARLY, yes)
    left = shrinker.allowed()
    assert left["cell/0->1"] == ("none", "skip_connect", "nor_conv_3x3")
    assert all(len(names) == 5 for name, names in left.items() if name != "cell/0->1")
    assert shrinker.record() == {"operations_left": 22, "connections_left": 6}


def test_not_one_whose_weight_is_uncertain() -> None:
    """Its mean is as low, but it was high a moment ago."""
    other = (0, [0.2, 0.1, 0.3, 0.3, 0.1])
    steady, wild = watched(rows(WEAK)), watched(*[rows(WEAK)] * 9, rows(other), times=15)
    assert wild._mean[0, 2] < 0.1
    assert steady.prune(EARLY, yes)
    wild.prune(EARLY, yes)
    assert "nor_conv_1x1" in wild.allowed()["cell/0->1"]


def test_not_before_it_is_time_and_not_at_the_very_end() -> None:
    shrinker = watched(rows(WEAK))
    assert not shrinker.prune(Progress(1, 10, 0.2), yes)
    assert not shrinker.prune(Progress(9, 10, 1.0), yes)
    late = ProgressiveShrinker(supernet(), alpha_start=5)
    assert not late.prune(Progress(4, 10, 0.5), yes)
    assert not late.prune(LAST, yes)  # nothing was seen


def test_connections_follow_later() -> None:
    gone = (4, [0.95, 0.02, 0.01, 0.01, 0.01])
    shrinker = watched(rows(gone), operation=0.0)
    assert not shrinker.prune(EARLY, yes)
    assert shrinker.prune(LAST, yes)
    assert shrinker.allowed()["cell/1->3"] == ("none",)
    assert shrinker.record() == {"operations_left": 20, "connections_left": 5}


def test_the_last_operation_and_the_null_candidate_stay() -> None:
    shrinker = watched(rows((0, [0.001, 0.0, 0.0, 0.999, 0.0])))
    assert shrinker.prune(EARLY, yes)
    assert shrinker.allowed()["cell/0->1"] == ("none", "nor_conv_3x3")
    assert not shrinker.prune(EARLY, yes)


def test_an_epoch_drops_no_more_than_its_quota_the_weakest_first() -> None:
    table = rows(*((row, [0.2, 0.7, 0.05 - 0.005 * row, 0.03, 0.02]) for row in range(6)))
    shrinker = ProgressiveShrinker(supernet(), alpha_start=0, schedule=Schedule(quota=0.25))
    for _ in range(30):
        shrinker.observe(table)
    assert shrinker.prune(EARLY, yes)
    assert shrinker.record()["operations_left"] == 24 - 6
    assert all("avg_pool_3x3" not in names for names in shrinker.allowed().values())


def test_what_a_budget_needs_stays() -> None:
    def feasible(allowed: Any) -> bool:
        return "nor_conv_1x1" in allowed["cell/0->1"]

    kept = watched(rows(WEAK))
    assert kept.prune(EARLY, feasible)  # one of two weak ones is needed, the other one goes
    assert kept.allowed()["cell/0->1"] == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
    assert not watched(rows(WEAK)).prune(EARLY, lambda allowed: False)


def test_a_state_is_gone_on_from() -> None:
    first = watched(rows(WEAK))
    first.prune(EARLY, yes)
    second = ProgressiveShrinker(supernet(), alpha_start=0, schedule=Schedule(quota=1.0))
    second.load_state(first.state())
    for shrinker in (first, second):
        for _ in range(150):
            shrinker.observe(rows(WEAK, (3, [0.2, 0.01, 0.39, 0.2, 0.2])))
        assert shrinker.prune(LAST, yes)
    assert torch.equal(first.remaining, second.remaining)
    assert all(torch.equal(a, b) for a, b in zip(first.history, second.history, strict=True))


@pytest.mark.parametrize("settings", [Simplification(), None])
def test_weights_statistics_and_momentum_are_carried_over(
    fabric: Any, settings: Simplification | None
) -> None:
    torch.manual_seed(0)
    network = supernet() if settings is None else simplify(supernet(), settings)
    method = get_method("diffgraph")
    bilevel = Bilevel(
        fabric, CLASSIFICATION, FusedNetwork(network), method, method.recipe("nasbench201")
    )
    batch = torch.randn(8, 1, 8, 8), torch.arange(8)
    bilevel.step(batch, batch, Progress(0, 2, 0.0))
    before = {name: value.clone() for name, value in bilevel.network.state_dict().items()}
    parameters = dict(bilevel.network.named_parameters())
    moments = {
        name: bilevel.weight_optimiser.state[parameter]["momentum_buffer"].clone()
        for name, parameter in parameters.items()
    }
    left = {d.name: (0, 1, 3) for d in network.decisions()}
    mask = torch.tensor([[True, True, False, True, False]] * 6)
    small = Shrinking(left)(network).network
    small = small if settings is None else simplify(small, settings)
    bilevel.shrink(FusedNetwork(small), mask)
    after = bilevel.network.state_dict()
    assert len(after) < len(before)
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    for name, parameter in bilevel.network.named_parameters():
        state = bilevel.weight_optimiser.state[parameter]
        assert torch.equal(state["momentum_buffer"], moments[name])
    assert set(bilevel.weights_by_decision()["cell/0->1"][2::2]) == {0.0}
    bilevel.step(batch, batch, Progress(1, 2, 0.5))
    bilevel.require_finite(1)


DROPPING: dict[str, Any] = {
    **{"method": "diffgraph", "epochs": 4, "alpha_lr": 0.4, "draws": 2, "finalists": 3},
    **{"watch": False, "estimator": "straight-through"},
}
"""A search that drops something after its second epoch and after its third."""


def shrinking(out: Path, **changes: Any) -> SearchConfig:
    return tiny_search(out, **{**DROPPING, **changes})


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a search leaves that was never interrupted."""
    out = tmp_path_factory.mktemp("straight") / "out"
    search(shrinking(out))
    return traces(out)


def epochs(traced: dict[str, Any]) -> list[dict[str, Any]]:
    return [record for record in traced["log"] if record["event"] == "epoch"]


def test_steps_get_cheaper_and_the_log_shows_it(straight: dict[str, Any]) -> None:
    seen = epochs(straight)
    left = [record["operations_left"] for record in seen]
    macs = [record["supernet_macs"] for record in seen]
    assert left[:2] == [24, 24]
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0]
    assert macs == sorted(macs, reverse=True)
    assert macs[-1] < macs[0]


# Steps are 0 to 11, three an epoch; something is dropped after step 5 and after step 8.
@pytest.mark.parametrize(("step", "seconds"), [(5, 0.0), (6, 0.0), (7, 1e9), (10, 0.0), (11, 1e9)])
def test_a_search_killed_around_a_drop_ends_as_if_it_had_not_been(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    straight: dict[str, Any],
    step: int,
    seconds: float,
) -> None:
    config = shrinking(tmp_path / "out", checkpoint_seconds=seconds)
    interrupted(monkeypatch, Bilevel, "step", step, lambda: search(config))
    search(shrinking(tmp_path / "out", checkpoint_seconds=seconds, resume=True))
    assert traces(tmp_path / "out") == straight


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop whatever may be dropped, from the first epoch on."""
    schedule = Schedule(operation=1.5, connection=1.05, start=0.0, connections=0.0, quota=0.5)
    made: Callable[..., None] = ProgressiveShrinker.__init__

    def start(self: ProgressiveShrinker, network: Network, *, alpha_start: int) -> None:
        made(self, network, alpha_start=alpha_start, schedule=schedule)

    monkeypatch.setattr(ProgressiveShrinker, "__init__", start)


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize(
    "changes",
    [
        {"simplify": "none", "lowering": "naive"},
        {"simplify": "none", "encoder": True},
        {"lowering": "naive", "estimator": "soft"},
    ],
)
def test_every_graph_and_lowering_shrinks(tmp_path: Path, changes: dict[str, Any]) -> None:
    search(shrinking(tmp_path / "out", **{"epochs": 2, **changes}))
    seen = epochs(traces(tmp_path / "out"))
    assert seen[-1]["operations_left"] < seen[0]["operations_left"]
    assert RunFolder(tmp_path / "out").weights.exists()


@pytest.mark.usefixtures("generous")
def test_multipliers_look_at_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the null candidate, too: where a connection was dropped, nothing else is left."""
    gone = 0
    update_multipliers = AugmentedLagrangian.update_multipliers

    def look(self: AugmentedLagrangian, weights: Weights) -> None:
        nonlocal gone
        for name, taken in self._strongest(weights).answers().items():
            at = CANDIDATES.index(taken)
            gone += not any(weights[name][1:])
            assert weights[name][at] > 0
        update_multipliers(self, weights)

    monkeypatch.setattr(AugmentedLagrangian, "update_multipliers", look)
    deployed = {"deploy_channels": 4, "deploy_cells": 1, "deploy_image_size": 8}
    search(shrinking(tmp_path / "out", keep_null=False, max_macs=1e6, **deployed))
    assert gone


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("space", ["darts", "spos", "toponas-4", "uneven"])
def test_every_space_shrinks(tmp_path: Path, request: pytest.FixtureRequest, space: str) -> None:
    name = request.getfixturevalue("uneven") if space == "uneven" else space
    cells = {"spos": 4, "uneven": 1}.get(space, 3)
    own = {"space": name, "cells": cells, "limit": 32, "epochs": 3, "channels": 8}
    search(shrinking(tmp_path / "out", **own))
    seen = epochs(traces(tmp_path / "out"))
    assert seen[-1]["operations_left"] < 0.8 * seen[0]["operations_left"]


def test_without_it_nothing_is_dropped(tmp_path: Path) -> None:
    search(shrinking(tmp_path / "out", progressive=False, epochs=2))
    assert all("operations_left" not in record for record in epochs(traces(tmp_path / "out")))
