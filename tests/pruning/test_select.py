"""Which nodes go: the least important, as few as the targets need, and never too few."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.cost import graph_cost
from archwright.errors import ConfigError
from archwright.graph import Network, Node, Pruning, named_fusion
from archwright.graph.passes.rewire import deletable, rewire
from archwright.pruning.latency import min_latency
from archwright.pruning.min_cost_set import min_cost_set
from archwright.pruning.select import Target, attainable, select_greedy, select_measured

from .helpers import fusions, networks

SAVES = {("cell0", 2): 10.0, ("cell0", 3): 30.0, ("cell1", 2): 20.0, ("cell1", 3): 0.0}
RANK = {("cell0", 2): 0.1, ("cell0", 3): 0.4, ("cell1", 2): 0.2, ("cell1", 3): 0.05}


def costs(saves: Mapping[Node, float], limit: float, name: str = "--macs", **more) -> Target:
    """A hundred, less what the deleted nodes save."""

    def cost(pruning: Pruning) -> float:
        return 100 - sum(saves[node] for node in pruning.deleted)

    given: dict[str, Any] = {"name": name, "unit": "MACs", "limit": limit, "cost": cost, **more}
    return Target(**given)


@pytest.mark.parametrize(
    ("limit", "deleted"),
    [
        (100, set()),
        (95, {("cell0", 2)}),
        (75, {("cell0", 2), ("cell1", 2)}),
        (60, {("cell0", 2), ("cell0", 3)}),  # not the second one, which is no longer needed
        (40, {("cell0", 2), ("cell0", 3), ("cell1", 2)}),
    ],
)
def test_the_least_important_go_first(limit: float, deleted: set[Node]) -> None:
    assert select_greedy(RANK, [costs(SAVES, limit)], Pruning()).deleted == deleted


def test_importance_may_be_taken_per_cost() -> None:
    found = select_greedy(RANK, [costs(SAVES, 80)], Pruning(), per_cost=True)
    assert found.deleted == {("cell1", 2)}  # 0.2 for a fifth: as 0.1 for a tenth, and it suffices


def test_what_was_to_go_before_is_the_least_important() -> None:
    first = Pruning(deleted=frozenset({("cell0", 3)}))
    assert select_greedy(RANK, [costs(SAVES, 70)], first).deleted == first.deleted
    assert select_greedy(RANK, [costs(SAVES, 65)], first).deleted == {("cell0", 3), ("cell0", 2)}
    spared = select_greedy(
        RANK, [costs(SAVES, 100)], first
    )  # and comes back where nothing has to go
    assert not spared.deleted


def test_per_cost_what_costs_more_goes_first_of_those_that_are_better_gone() -> None:
    rank = dict.fromkeys(SAVES, -1.0)
    found = select_greedy(rank, [costs(SAVES, 70)], Pruning(), per_cost=True)
    assert found.deleted == {max(SAVES, key=SAVES.__getitem__)}


def test_per_cost_is_what_a_node_saves_when_it_goes_next() -> None:
    """The node 3 of cell0 saves little by itself, and much once the node 2 is gone."""

    def cost(pruning: Pruning) -> float:
        both = {("cell0", 2), ("cell0", 3)} <= pruning.deleted
        return 100 - 10 * len(pruning.deleted) - 40 * both

    rank = {("cell0", 2): 5.0, ("cell0", 3): 2.0, ("cell1", 2): 1.0}
    target = Target(name="--macs", unit="MACs", cost=cost, limit=80)
    some = Pruning(deleted=frozenset({("cell0", 2)}))
    assert select_greedy(rank, [target], Pruning(), per_cost=True).deleted == {
        ("cell0", 3),
        ("cell1", 2),
    }
    assert ("cell0", 3) in select_greedy(rank, [target], some, per_cost=True).deleted


def test_every_target_is_met() -> None:
    other = {("cell0", 2): 0.0, ("cell0", 3): 0.0, ("cell1", 2): 5.0, ("cell1", 3): 40.0}
    found = select_greedy(RANK, [costs(SAVES, 90), costs(other, 96, "--params")], Pruning())
    assert found.deleted == {("cell1", 2)}


def test_what_saves_nothing_yet_is_asked_again() -> None:
    """The node 3 of cell1 saves something once the node 2 is gone."""

    def cost(pruning: Pruning) -> float:
        both = {("cell1", 2), ("cell1", 3)} <= pruning.deleted
        return 100 - sum(SAVES[node] for node in pruning.deleted) - 50 * both

    target = Target(name="--macs", unit="MACs", cost=cost, limit=25)
    assert ("cell1", 3) in select_greedy(RANK, [target], Pruning()).deleted


def test_a_target_out_of_reach_says_what_can_be_had() -> None:
    message = (
        "--macs cannot come down to 39 MACs: with 3 nodes deleted 40 of 100 are left (0.400); ask "
        "for no less"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        select_greedy(RANK, [costs(SAVES, 39)], Pruning())


def test_large_numbers_are_written_out() -> None:
    saves = {node: 1e6 * saved for node, saved in SAVES.items()}
    target = costs(saves, 1e6, cost=lambda pruning: 1e8 - sum(saves[n] for n in pruning.deleted))
    message = "down to 1,000,000 MACs: with 3 nodes deleted 40,000,000 of 100,000,000 are left"
    with pytest.raises(ConfigError, match=message):
        select_greedy(RANK, [target], Pruning())


def test_what_is_measured_decides() -> None:
    """Half as much again as was predicted: more nodes go, until the measurement is met."""
    calls: list[float] = []

    def measured(pruning: Pruning) -> float:
        calls.append(1.5 * target.cost(pruning))
        return calls[-1]

    target = costs(SAVES, 90, measured=measured)
    found = select_measured(RANK, [target], Pruning())
    assert calls == [135, 75]
    assert found.deleted == {("cell0", 3), ("cell1", 2)}


def test_a_prediction_that_is_too_careful_stays() -> None:
    target = costs(SAVES, 75, measured=lambda pruning: 0.5 * costs(SAVES, 75).cost(pruning))
    assert select_measured(RANK, [target], Pruning()) == select_greedy(RANK, [target], Pruning())


def test_measurements_may_never_come_down() -> None:
    saves = {("cell0", n): 0.01 for n in range(2, 500)}
    target = costs(saves, 96, "--latency-ms", measured=lambda pruning: 96.001)
    message = (
        r"--latency-ms 96 was not met: 96.001 MACs were measured, and nothing promises less; leave "
        r"the machine alone meanwhile, or ask for more"
    )
    with pytest.raises(ConfigError, match=message):
        select_measured(dict.fromkeys(saves, 1.0), [target], Pruning())
    saves = {("cell0", n): 1.0 for n in range(2, 80)}
    target = costs(saves, 90, "--latency-ms", measured=lambda pruning: 90 * (1 + 1e-9))
    message = "--latency-ms 90 was not met: 90 MACs were measured, and so it was 9 times before;"
    with pytest.raises(ConfigError, match=message):
        select_measured(dict.fromkeys(saves, 1.0), [target], Pruning())


def test_a_budget_is_kept_if_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    asked = costs(SAVES, 90)
    alone = select_measured(RANK, [asked], Pruning())
    held = costs(SAVES, 60, "--latency-ms", firm=False)
    assert select_measured(RANK, [asked, held], Pruning()) == select_measured(
        RANK, [held], Pruning()
    )
    assert select_measured(RANK, [held], Pruning()) != alone
    assert capsys.readouterr().err == ""
    for lost in (
        costs(SAVES, 30, "--latency-ms", firm=False),  # more than all nodes save
        costs(SAVES, 90, "--latency-ms", measured=lambda pruning: 91.0, firm=False),
    ):
        assert select_measured(RANK, [asked, lost], Pruning()) == alone
        assert capsys.readouterr().err.startswith("a budget is not kept while pruning: --latency-")
        assert not select_measured(RANK, [lost], Pruning()).deleted
    with pytest.raises(ConfigError, match=r"^--macs cannot come down to 30 MACs"):
        select_measured(RANK, [costs(SAVES, 30), held], Pruning())


def test_what_is_not_attainable_is_given_up_before_nodes_are_ranked_anew() -> None:
    asked, held = costs(SAVES, 90), costs(SAVES, 60, "--latency-ms", firm=False)
    lost = costs(SAVES, 30, "--latency-ms", firm=False)
    assert attainable(RANK, [asked, held], Pruning()) == [asked, held]
    assert attainable(RANK, [asked, lost], Pruning()) == [asked]
    with pytest.raises(ConfigError, match=r"^--macs cannot come down to 30 MACs"):
        attainable(RANK, [costs(SAVES, 30)], Pruning())


def test_a_busy_machine_does_not_cost_a_node() -> None:
    times = iter([7.0, 6.0, 4.0, 1.0])
    assert min_latency(lambda: next(times), 5.0) == 4.0
    assert min_latency(lambda: next(times), 5.0) == 1.0
    slow = iter([9.0, 8.0, 8.5, 1.0])
    assert min_latency(lambda: next(slow), 5.0) == 8.0


def real(network: Network, share: float) -> list[Target]:
    def counted(name: str) -> Target:
        def cost(pruning: Pruning) -> float:
            return getattr(graph_cost(rewire(network, pruning)), name)

        return Target(name=name, unit=name, cost=cost, limit=share * cost(Pruning()))

    return [counted("macs"), counted("params")]


@settings(max_examples=10)
@given(st.data())
def test_no_network_is_over_its_target(data: st.DataObject) -> None:
    whole = data.draw(networks())
    pruning = Pruning(fusion=data.draw(fusions), gated=data.draw(st.booleans()))
    nodes = deletable(whole)
    ranks = data.draw(st.lists(st.floats(0, 1), min_size=len(nodes), max_size=len(nodes)))
    targets = real(whole, data.draw(st.floats(0.3, 1.0)))
    try:
        found = select_greedy(dict(zip(nodes, ranks, strict=True)), targets, pruning)
    except ConfigError:
        return
    assert replace(found, deleted=frozenset()) == pruning
    assert all(target.cost(found) <= target.limit for target in targets)


def test_what_saves_only_together_is_found() -> None:
    """Either node of cell0 costs more than it saves, unless both go."""

    def cost(pruning: Pruning) -> float:
        here = len([node for node in pruning.deleted if node[0] == "cell0"])
        return 100 + {0: 0, 1: 5, 2: -30}[here] + 10 * (("cell1", 2) in pruning.deleted)

    target = Target(name="--macs", unit="MACs", cost=cost, limit=70)
    assert select_greedy(RANK, [target], Pruning()).deleted == {("cell0", 2), ("cell0", 3)}
    message = "--macs cannot come down to 69 MACs: with 2 nodes deleted 70 of 100 are left (0.700)"
    with pytest.raises(ConfigError, match=re.escape(message)):
        select_greedy(RANK, [replace(target, limit=69)], Pruning())


def test_costs_that_pull_in_two_directions_are_met_together() -> None:
    """The node that saves most of the first costs most of the second."""
    other = {("cell0", 2): 5.0, ("cell0", 3): -60.0, ("cell1", 2): 10.0, ("cell1", 3): -1.0}
    targets = [costs(SAVES, 72), costs(other, 86, "--params")]
    assert select_greedy(RANK, targets, Pruning()).deleted == {("cell0", 2), ("cell1", 2)}
    message = "--macs cannot come down to 69 MACs beside --params: with 2 nodes deleted 70 of 100"
    with pytest.raises(ConfigError, match=re.escape(message)):
        select_greedy(RANK, [costs(SAVES, 69), targets[1]], Pruning())


@settings(max_examples=50)
@given(st.data())
def test_one_cost_comes_down_as_far_as_it_can(data: st.DataObject) -> None:
    """Every set of every cell costs anything."""
    cells = {name: data.draw(st.integers(1, 3)) for name in ("cell0", "cell1")}
    nodes = [(name, n) for name, count in cells.items() for n in range(count)]

    def key(name: str, deleted: frozenset[Node]) -> tuple[Node, ...]:
        return tuple(sorted(node for node in deleted if node[0] == name))

    sets = [frozenset(some) for n in range(len(nodes) + 1) for some in combinations(nodes, n)]
    keys = sorted({(name, key(name, one)) for one in sets for name in cells})
    priced = {one: data.draw(st.integers(0, 9)) for one in keys}

    def shares(deleted: frozenset[Node]) -> list[float]:
        return [float(sum(priced[name, key(name, deleted)] for name in cells))]

    assert shares(min_cost_set(nodes, shares)) == min(map(shares, sets))


def test_cells_of_many_nodes_are_looked_at_in_part() -> None:
    nodes = [("cell0", n) for n in range(40)]
    calls: list[int] = []

    def shares(deleted: frozenset[Node]) -> list[float]:
        calls.append(len(deleted))
        return [100 - len(deleted), 99 + (len(deleted) % 40)]

    assert len(min_cost_set(nodes, shares)) == 40
    assert len(calls) < 2000


@settings(max_examples=10)
@given(networks(), st.floats(0.5, 1.0))
def test_no_node_goes_in_vain(whole: Network, share: float) -> None:
    plain = Pruning(fusion=named_fusion("sum"))
    (target, _) = real(whole, share)
    try:
        found = select_greedy(dict.fromkeys(deletable(whole), 1.0), [target], plain)
    except ConfigError:
        return
    for node in found.deleted:
        assert target.cost(replace(found, deleted=found.deleted - {node})) > target.limit


def test_a_target_is_eased_from_the_whole_network_on() -> None:
    target = costs(SAVES, 40)
    assert target.relaxed(0.5).limit == pytest.approx(70)
    assert target.relaxed(1).limit == pytest.approx(40)
    assert target.relaxed(0.5).name == target.name
    assert costs(SAVES, 200).relaxed(0.5).limit == 200  # nothing needs to go
