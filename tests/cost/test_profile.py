"""Profiles of a machine on which every module takes a known time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from archwright.backends import Timing
from archwright.cost import DecisionTable
from archwright.cost.files import write_rows
from archwright.cost.latency import OVERHEAD, operations, read_latency
from archwright.errors import ConfigError
from archwright.graph import Cell, Network, Op, Shape, verify, walk_network
from archwright.profiling.profile import Profile, profile, repeat_operation
from archwright.profiling.runtimes import runtime
from archwright.spaces import Size, get_space, read_architecture
from archwright.spaces.discretise import random_architecture

from ..strategies import ALL_SPACES, any_space, tiny

LAYOUT = DecisionTable(get_space("nasbench201"), Size(channels=4, cells=2, image_size=16))
CALL, MODULE, MAC, ADDITION = 0.05, 0.002, 1e-6, 0.001


def milliseconds(network: Network) -> float:
    """A machine that runs everything: a call, a module, a MAC and an addition take their time."""
    taken = [CALL]

    def visit(module: Op, shape: Shape) -> None:
        if not module.primitive.zero:
            taken.append(MODULE + MAC * module.primitive.macs(shape))

    walk_network(network, visit)
    for step in network.steps:
        if isinstance(step.body, Cell):
            targets = [edge.target for edge in step.body.edges]
            taken.append(ADDITION * (len(targets) - len(set(targets))))
    return sum(taken)


def machine(network: Network) -> Callable[[], float]:
    verify(network)
    return lambda: milliseconds(network)


def clock(calls: Sequence[Callable[[], object]]) -> list[Timing]:
    return [Timing(cast(float, call()), 0.01, 30) for call in calls]


@pytest.fixture(scope="module")
def profiled() -> Profile:
    return profile(LAYOUT, machine, networks=12, counted="picked", timer=clock)


def test_every_operation_is_in_it_once(profiled: Profile) -> None:
    names = [one.operation for one in profiled.measured]
    assert names == [OVERHEAD, *operations(LAYOUT)]


def test_an_operation_takes_what_a_copy_adds(profiled: Profile) -> None:
    parts = operations(LAYOUT)
    for one in profiled.measured[1:]:
        place = parts[one.operation]
        alone = MODULE * place.modules + MAC * place.macs + ADDITION
        assert one.alone_ms == pytest.approx(alone, rel=1e-6)
        assert one.latency_ms == pytest.approx(one.alone_ms * one.factor)
        assert one.spread_ms == pytest.approx(np.hypot(0.01, 0.01) / 4 * one.factor)
        assert one.repeats == 30


def test_whole_networks_are_predicted_from_the_table(profiled: Profile, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, profiled.rows("fake", "cpu", 1))
    cost = read_latency(LAYOUT, path)
    generator = np.random.default_rng(7)
    for _ in range(20):
        one = random_architecture(LAYOUT.space, LAYOUT.size, generator)
        known = milliseconds(LAYOUT.space.discrete(one, LAYOUT.size))
        assert cost.of(one) == pytest.approx(known, rel=0.05)
    assert profiled.median_error < 0.02


def test_additional_latency_of_networks_is_distributed(profiled: Profile) -> None:
    twice = profile(
        LAYOUT,
        lambda network: lambda: milliseconds(network) * (2 if len(network.steps) > 7 else 1),
        networks=12,
        counted="picked",
        timer=clock,
    )
    ratio = [
        other.factor / one.factor
        for one, other in zip(profiled.measured, twice.measured, strict=True)
        if one.operation.name in ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    ]
    assert min(ratio) > 1.2
    assert twice.median_error < 0.05


@pytest.mark.parametrize("name", ALL_SPACES)
def test_copies_of_every_operation_of_every_space_make_networks(name: str) -> None:
    layout = DecisionTable(any_space(name), tiny(name))
    for place in operations(layout).values():
        for number in (1, 3):
            network = repeat_operation(place, number)
            verify(network)
            assert network.image == place.shape


def test_a_difference_below_zero_is_no_latency() -> None:
    found = profile(
        LAYOUT, machine, networks=2, timer=lambda calls: [Timing(1.0, 0.0, 5)] * len(calls)
    )
    assert min(one.latency_ms for one in found.measured) > 0


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_runtimes_answer(name: str) -> None:
    size = Size(channels=4, cells=1, image_size=8)
    one = random_architecture(LAYOUT.space, size, np.random.default_rng(0))
    call = runtime(name, "cpu", 1)(LAYOUT.space.discrete(one, size))
    assert np.asarray(cast(list[torch.Tensor], call())[0]).shape in ((1, 10), (10,))


def test_runtimes_that_there_are_not() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown runtime 'tensorrt': .*known are onnxruntime, tor"
    ):
        runtime("tensorrt", "cpu", 1)
    with pytest.raises(ConfigError, match="torch has no device 'nowhere' here: give --device cpu"):
        runtime("torch", "nowhere", 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"counted": "used"}, {"counted": "live"}],
            "has rows with counted live and used: its operations were measured in diff",
        ),
        (
            [{"counted": "some"}, {"counted": "some"}],
            "unknown value of counted 'some': .*known are live, picked, used",
        ),
    ],
)
def test_tables_that_disagree_on_what_counts(
    rows: list[dict[str, str]], message: str, profiled: Profile, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    table = [dict(row) for row in profiled.rows("fake", "cpu", 1)]
    marked = [{**row, **rows[number % 2]} for number, row in enumerate(table)]
    write_rows(path, marked)
    with pytest.raises(ConfigError, match=message):
        read_latency(LAYOUT, path)


def test_a_table_may_leave_out_what_is_not_run(profiled: Profile, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, [{**row, "counted": "used"} for row in profiled.rows("fake", "cpu", 1)])
    cost = read_latency(LAYOUT, path)
    dead = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"
    bare = read_architecture(dead.replace("nor_conv_3x3", "none"))
    assert cost.of(read_architecture(dead)) == pytest.approx(cost.of(bare))
    both = [bare, read_architecture(dead)]
    assert cost.bounds(both) == pytest.approx([cost.of(one) for one in both])
    least, found = cost.least()
    assert least == pytest.approx(cost.of(found))
