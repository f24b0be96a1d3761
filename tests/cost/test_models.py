"""Every cost model: exact values, minima, tables, devices, and their errors."""

from collections.abc import Mapping
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archwright.cost import DecisionTable, cost_model, fit, graph_cost
from archwright.cost.expected.additive import macs
from archwright.cost.expected.model import CostModel
from archwright.cost.files import read_rows, write_rows
from archwright.cost.latency import OVERHEAD, operations, read_latency
from archwright.errors import ConfigError
from archwright.graph import Architecture
from archwright.spaces import Size, get_space, read_architecture, write_architecture
from archwright.spaces.discretise import is_connected, random_architecture
from archwright.tables import nasbench201

from ..strategies import ALL_SPACES, any_space, tiny

SPACE, SIZE = get_space("nasbench201"), Size(channels=16, cells=5)
SMALL = DecisionTable(SPACE, tiny("nasbench201"))


def drawn(layout: DecisionTable, count: int) -> list[Architecture]:
    generator = np.random.default_rng(0)
    return [random_architecture(layout.space, layout.size, generator) for _ in range(count)]


@pytest.mark.parametrize("name", ALL_SPACES)
def test_costs_that_add_up_are_exact_at_one_hot_weights(name: str) -> None:
    space, size = any_space(name), tiny(name)
    for cost in (cost_model(which, space, size) for which in ("macs", "params", "size_mb")):
        for one in drawn(cost.layout, 3):
            network = graph_cost(space.discrete(one, size))
            known = {
                "macs": network.macs,
                "params": network.params,
                "size_mb": 4e-6 * network.params,
            }[cost.name]
            assert cost.of(one) == pytest.approx(known, rel=1e-12)
            assert cost.bound(one) == cost.of(one)
            assert float(cost.expected(cost.layout.one_hot(one))) == cost.of(one)


def test_the_expected_cost_is_the_mean_of_samples() -> None:
    cost = cost_model("macs", SPACE, SMALL.size)
    weights = torch.rand(6, 5, dtype=torch.float64).softmax(dim=-1).requires_grad_()
    expected = cost.expected(weights)
    expected.backward()
    assert weights.grad is not None
    assert weights.grad.equal(cost.surrogate.table)
    codes = torch.cartesian_prod(*[torch.arange(5)] * 6)
    chances = weights.detach()[torch.arange(6), codes].prod(dim=1)
    every = cost.surrogate(torch.eye(5, dtype=torch.float64)[codes])
    torch.testing.assert_close(expected.detach(), (chances * every).sum())


def test_live_costs_are_those_of_what_reaches_the_output() -> None:
    cost = macs(SMALL, live=True)
    for one in drawn(SMALL, 10):
        network = SPACE.discrete(one, SMALL.size)
        assert cost.of(one) == pytest.approx(graph_cost(network, live=True).macs)


@cache
def usable() -> list[Architecture]:
    """Some architectures that use their input."""
    texts = nasbench201.architectures()[::400]
    found = map(read_architecture, texts)
    return [one for one in found if is_connected(SPACE, one, SMALL.size)]


@pytest.mark.parametrize(
    "name",
    [
        *("macs", "params", "size_mb", "memory_mb"),
        pytest.param("training_memory_mb", marks=pytest.mark.slow),
    ],
)
def test_nothing_costs_less_than_the_least(name: str) -> None:
    cost = cost_model(name, SPACE, SMALL.size)
    least, found = cost.least()
    assert is_connected(SPACE, found, SMALL.size)
    assert cost.of(found) == least
    assert least <= min(cost.of(one) for one in usable()) + 1e-12


@pytest.mark.parametrize("device", ["raspi4", "fpga"])
def test_the_least_on_a_device_is_least_of_all(device: str) -> None:
    cost = cost_model("latency_ms", SPACE, SIZE, latency_device=device)
    least, found = cost.least()
    column = nasbench201.latency(device)
    order = np.argsort(column)  # what was not measured comes last
    first = next(
        int(index)
        for index in order
        if is_connected(SPACE, read_architecture(nasbench201.architectures()[index]), SIZE)
    )
    assert least == column[first]
    assert cost.of(found) == least


def test_a_device_says_what_was_measured_and_nothing_else() -> None:
    cost = cost_model("latency_ms", SPACE, SIZE, latency_device="edgetpu")
    column = nasbench201.latency("edgetpu")
    for index in (0, 10, *np.flatnonzero(np.isnan(column))[:3].tolist()):
        one = read_architecture(nasbench201.architectures()[index])
        known = column[index] if column[index] == column[index] else float("inf")
        assert cost.of(one) == cost.bound(one) == known
    energy = cost_model("energy_mj", SPACE, SIZE, latency_device="fpga")
    one = read_architecture(nasbench201.architectures()[5])
    assert energy.of(one) == nasbench201.energy("fpga")[5]


@pytest.mark.parametrize(
    ("name", "space", "size", "device", "message"),
    [
        ("latency_ms", "nasbench201", SIZE, "phone", "--latency-device: unknown device 'phone'"),
        (
            "energy_mj",
            "nasbench201",
            SIZE,
            "raspi4",
            "--latency-device: unknown device with a measured energy 'raspi4'",
        ),
        (
            "latency_ms",
            "darts",
            Size(channels=16, cells=5),
            "fpga",
            "fpga was measured in the space nasbench201, not in darts: measure its operations",
        ),
        (
            "latency_ms",
            "nasbench201",
            Size(channels=8, cells=5),
            "fpga",
            "was measured at channels 16, cells 5, image_size 32, not at channels 8, cells 5",
        ),
        ("latency", "nasbench201", SIZE, None, "unknown cost 'latency': did you mean 'latency_ms'"),
        (
            "latency_ms",
            "nasbench201",
            SIZE,
            None,
            "latency_ms needs one source of measurements: --latency-device DEVICE, or",
        ),
    ],
)
def test_costs_that_there_are_not(
    name: str, space: str, size: Size, device: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        cost_model(name, get_space(space), size, latency_device=device)


def test_an_additive_cost_is_found_again() -> None:
    known = macs(SMALL)
    architectures = drawn(SMALL, 80)
    found = fit(SMALL, architectures, [known.of(one) for one in architectures])
    assert found.counted == "picked"
    for one in drawn(SMALL, 20):
        assert found.of(one) == pytest.approx(known.of(one), rel=1e-3)


def test_edges_that_run_are_distinguished_from_dropped_ones() -> None:
    known = macs(SMALL, live=True)
    generator = np.random.default_rng(1)
    # connected ones alone would hardly tell: any row of the table
    texts = [nasbench201.architectures()[i] for i in generator.permutation(15625)[:200]]
    architectures = [read_architecture(text) for text in texts]
    found = fit(SMALL, architectures, [known.of(one) for one in architectures])
    assert found.counted == "live"


Row = Mapping[str, object]


def by_operation() -> list[Row]:
    """A table in which every operation takes a millisecond, and a call two."""
    names = [OVERHEAD, *operations(SMALL)]
    return [
        {"operation": o.name, "input": o.input, "output": o.output, "latency_ms": 1.0 + (at == 0)}
        for at, o in enumerate(names)
    ]


def by_architecture() -> list[Row]:
    return [
        {"architecture": text, "latency_ms": number + 1.0}
        for number, text in enumerate(nasbench201.architectures()[:20])
    ]


def read(rows: list[Row], tmp_path: Path, suffix: str = ".csv") -> CostModel:
    path = tmp_path / f"table{suffix}"
    write_rows(path, rows)
    return read_latency(SMALL, path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_operations_add_up(tmp_path: Path, suffix: str) -> None:
    cost = read(by_operation(), tmp_path, suffix)
    full = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|none~1|skip_connect~2|"
    cells = 3 * SMALL.size.cells
    fixed = 2 + 2 * 2  # stem and head; two ways over each of the blocks between stages
    assert cost.of(read_architecture(full)) == 2 + fixed + 5 * cells
    least, found = cost.least()
    assert least == 2 + fixed + cells
    assert write_architecture(found).count("none") == 5


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_architectures_are_looked_up(tmp_path: Path, suffix: str) -> None:
    cost = read(by_architecture(), tmp_path, suffix)
    for number, text in enumerate(nasbench201.architectures()[:20]):
        assert cost.of(read_architecture(text)) == number + 1.0


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "'0'"), (-1.5, "'-1.5'"), ("nan", "'nan'"), ("inf", "'inf'"), ("", "''"), ("x", "'x'")],
)
def test_latencies_that_cannot_be(tmp_path: Path, value: object, shown: str) -> None:
    rows = by_architecture()
    rows[2] = {**rows[2], "latency_ms": value}
    message = rf"row 3 \(.*latency_ms is {shown}, and must be a finite number above 0; leave out"
    with pytest.raises(ConfigError, match=message):
        read(rows, tmp_path)


@pytest.mark.parametrize(
    ("columns", "flags"),
    [
        ([{}], ""),
        ([{"runtime": "torch", "device": "cuda", "threads": 1}], r"--runtime torch --device cuda "),
        ([{"runtime": "torch"}, {"runtime": "onnxruntime"}], ""),
    ],
)
def test_an_operation_that_is_missing_is_named(
    tmp_path: Path, columns: list[dict[str, Any]], flags: str
) -> None:
    lacking = [row for row in by_operation() if row["operation"] != "nor_conv_3x3"]
    pairs = zip(lacking, cycle(columns), strict=False)
    rows: list[Row] = [{**row, **more} for row, more in pairs]
    flags += "--threads 1 " if flags else ""
    size = SMALL.size
    message = (
        rf"table.csv lacks the operation nor_conv_3x3 from \S+ to \S+ and 2 more: archwright "
        rf"profile --space nasbench201 --channels {size.channels} --cells {size.cells} "
        rf"--classes {size.classes} --image-size {size.image_size} --image-channels "
        rf"{size.image_channels} {flags}--out {tmp_path}/table-all.csv measures all$"
    )
    with pytest.raises(ConfigError, match=message):
        read(rows, tmp_path)


@pytest.mark.parametrize("field", ["channels", "cells", "classes", "image_size", "image_channels"])
def test_a_table_of_another_size_is_refused(tmp_path: Path, field: str) -> None:
    path = tmp_path / "table.csv"
    ours = getattr(SMALL.size, field)
    texts = nasbench201.architectures()[:3]
    lines = [f"{text},{n + 1},{ours}" for n, text in enumerate(texts)]
    path.write_text("\n".join([f"architecture,latency_ms,{field}", *lines]))
    read_latency(SMALL, path)
    path.write_text(
        "\n".join(
            [
                f"architecture,latency_ms,{field}",
                *lines,
                f"{nasbench201.architectures()[3]},9,{ours}7",
            ]
        )
    )
    message = f"row 4, was measured at {field} {ours}7, and costs count at {SMALL.size.text}: "
    with pytest.raises(ConfigError, match=message):
        read_latency(SMALL, path)


def test_a_table_that_a_spreadsheet_wrote(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "\N{ZERO WIDTH NO-BREAK SPACE}architecture,latency_ms\na,1.5\n", encoding="utf-8"
    )
    assert read_rows(path) == [{"architecture": "a", "latency_ms": "1.5"}]


def test_tables_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(ConfigError, match=r"no table at .*table.csv: No such file"):
        read_latency(SMALL, path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        ConfigError, match="is not a table: give a CSV file with a header, or parquet"
    ):
        read_latency(SMALL, path)
    path.write_text("architecture,latency_ms\n")
    with pytest.raises(ConfigError, match="has no rows"):
        read_latency(SMALL, path)
    path.write_text("name,ms\na,1\n")
    with pytest.raises(ConfigError, match="has the columns ms, name: a table needs architecture"):
        read_latency(SMALL, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "architecture,latency_ms,latency_ms\na,1,2\n",
            "line 1: there are two columns 'latency_ms'",
        ),
        (
            'architecture,latency_ms\n"a\nb",1\nc,2,3,4\n',
            "line 4: 2 more cells than the 2 columns; quote cells that contain a comma",
        ),
    ],
)
def test_rows_that_do_not_fit_the_columns(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"table\.csv, {message}"):
        read_rows(path)


def test_rows_that_contradict_each_other(tmp_path: Path) -> None:
    rows = by_architecture()
    with pytest.raises(ConfigError, match=r"row 21: .* is given twice, with latency_ms 9"):
        read([*rows, {**rows[0], "latency_ms": 9.0}], tmp_path)
    with pytest.raises(ConfigError, match="has one architecture: measure some dozens"):
        read(rows[:1], tmp_path)
    operations_ = by_operation()
    with pytest.raises(ConfigError, match="overhead from - to - is given twice"):
        read([*operations_, {**operations_[0], "latency_ms": 9.0}], tmp_path)


def test_architectures_of_another_space(tmp_path: Path) -> None:
    rows: list[Row] = [*by_architecture(), {"architecture": "darts-v2", "latency_ms": 1.0}]
    with pytest.raises(ConfigError, match="row 21: the architecture is of space darts, not nasb"):
        read(rows, tmp_path)
