"""The bench itself, on networks that take milliseconds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archwright.bench.engine.results import Results, read_results
from archwright.bench.instruments import threads as bench_threads
from archwright.bench.instruments.threads import threads
from archwright.bench.supernet import interleaved as contest
from archwright.bench.supernet import networks as networks
from archwright.bench.supernet import peak_in_subprocess as peaks
from archwright.bench.supernet import run as supernet
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.interleaved import BenchmarkedNetwork, InterleavedBenchmark
from archwright.bench.supernet.networks import discrete_network
from archwright.bench.supernet.run import bench_supernet
from archwright.cost import activation_bytes, graph_cost, saved_bytes
from archwright.engine import device
from archwright.engine.device import make_fabric
from archwright.errors import ConfigError, RunError
from archwright.graph.passes.simplification import simplification, simplify
from archwright.spaces import Size, Space, dense_cell, get_space, operations
from archwright.spaces.skeletons import TwoInput

TINY: dict[str, Any] = {
    "channels": 4,
    "cells": 1,
    "image_size": 8,
    "batch_size": 4,
    "repeats": 2,
    "threads": 1,
}
SIZE = Size(channels=4, cells=1, image_size=8)


def bench(**settings: Any) -> Results:
    return bench_supernet(SupernetConfig(**{**TINY, **settings}))


@pytest.fixture(scope="module")
def results() -> Results:
    return bench(simplify="pms+fms,all,none/fused", seed=3)


def test_the_rows_come_as_they_were_asked_for(results: Results) -> None:
    rows = results.rows
    assert [r["variant"] for r in rows] == ["discrete", "naive", "pms+fms", "all", "none/fused"]
    assert [r["simplify"] for r in rows] == [None, "none", "pms+fms", "all", "none"]
    assert [r["lowering"] for r in rows] == ["naive", "naive", "fused", "fused", "fused"]
    assert all(r["times"] == 2 and 0 < r["step_min_s"] <= r["step_s"] for r in rows)
    assert all(r["launches"] is None for r in rows)
    assert all(0 < r["aten_ops_forward"] < r["aten_ops"] for r in rows)
    assert all(r["memory_format"] in ("contiguous", "channels_last") for r in rows)
    assert all(len(r["seconds"]) == 2 for r in rows)
    assert all(r["peak_bytes"] or r["peak_missing"] for r in rows)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_a_process_that_fails_leaves_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "_PROGRAM", "raise SystemExit(3)")
    reason = "the process that measures it ended with code 3"
    assert peaks.peaks_in_subprocess(SupernetConfig(**TINY, simplify="all")) == [(None, reason)] * 3


def test_it_says_how_it_was_measured(results: Results) -> None:
    assert results.command == (
        "archwright bench supernet --space nasbench201 --channels 4 --cells 1 --image-size 8 "
        "--batch-size 4 --simplify pms+fms,all,none/fused --repeats 2 --threads 1 --seed 3"
    )
    assert results.threads == 1
    assert results.settings["device"] == "cpu"
    assert results.settings["candidates"] == 5
    assert results.settings["discrete"].count("nor_conv_3x3") == 6
    assert {"archwright", "torch", "python"} <= set(results.versions)
    assert "CPU threads" in results.hardware


def test_counts_are_those_of_the_graphs(results: Results) -> None:
    space = get_space("nasbench201")
    discrete, naive = results.rows[:2]
    network, _ = discrete_network(space, SIZE)
    for row, graph in ((discrete, network), (naive, space.supernet(SIZE))):
        cost = graph_cost(graph)
        assert row["params"] == cost.params
        assert row["macs"] == cost.macs
        # and the loss, with what the mixture keeps
        assert row["saved_bytes"] == pytest.approx(activation_bytes(graph, 4), rel=0.02)
    simplified = simplify(space.supernet(SIZE), simplification("all"))
    assert results.rows[3]["params"] == graph_cost(simplified).params


@pytest.fixture
def no_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes a process of its own."""
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: [(1, "")] * len(config.variants)
    )


@pytest.mark.usefixtures("no_peaks")
def test_another_seed_measures_other_weights_alike(results: Results) -> None:
    again = bench(simplify="pms+fms,all,none/fused", seed=4, repeats=0)
    for name in ("saved_bytes", "macs", "params", "aten_ops", "aten_ops_forward"):
        assert [r[name] for r in again.rows] == [r[name] for r in results.rows]


def test_the_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with threads(None):
        assert torch.get_num_threads() == before


@pytest.mark.usefixtures("no_peaks")
def test_mixed_precision_keeps_less(results: Results) -> None:
    half = bench(simplify="all", repeats=1, precision="bf16-mixed").rows
    assert half[1]["saved_bytes"] < results.rows[1]["saved_bytes"]


def built(config: SupernetConfig, size: Size = SIZE) -> list[BenchmarkedNetwork]:
    space = get_space(config.space)
    discrete, _ = discrete_network(space, size)
    return [
        networks._build_network(v, discrete, space.supernet(size), 0, torch.device("cpu"))
        for v in config.variants
    ]


def a_contest(
    made: list[BenchmarkedNetwork],
    advance: Callable[[], object] = lambda: None,
    images: Tensor | None = None,
    labels: Tensor | None = None,
) -> InterleavedBenchmark:
    return InterleavedBenchmark(
        make_fabric("cpu", "32-true"),
        made,
        torch.randn(4, 3, 8, 8) if images is None else images,
        torch.arange(4) if labels is None else labels,
        advance=advance,
        note=lambda text: None,
    )


def test_a_step_reaches_every_weight_and_alpha() -> None:
    for network in built(SupernetConfig(simplify="all")):
        loss = a_contest([network])._loss(network)
        loss.backward()
        assert all(p.grad is not None for p in network.module.parameters())
        assert len(network.searched) == (network.variant.simplify is not None)
        for logits in network.searched:
            assert logits.grad is not None
            assert logits.grad.abs().sum() > 0
        network.clear_gradients()
        assert all(p.grad is None for p in network.module.parameters())


def test_rows_are_measured_in_turns_in_their_faster_format(monkeypatch: pytest.MonkeyPatch) -> None:
    made = built(SupernetConfig(simplify="all"))
    order: list[tuple[str, str]] = []

    def timed(self: InterleavedBenchmark, network: BenchmarkedNetwork) -> float:
        order.append((network.variant.name, network.memory_format))
        self._advance()
        fast = "contiguous" if network.variant.name == "naive" else "channels_last"
        return 1.0 if network.memory_format == fast else 2.0

    monkeypatch.setattr(InterleavedBenchmark, "_timed", timed)
    steps: list[int] = []
    turns = a_contest(made, lambda: steps.append(1))
    counted = [turns.count(network) for network in made]
    (_, _, measured) = turns.time(counted, 2)
    assert [m.memory_format for m in measured] == ["channels_last", "contiguous", "channels_last"]
    turn = [(m.variant.name, m.memory_format) for m in measured]
    assert order[-6:] == turn * 2
    assert len(steps) == InterleavedBenchmark.count_steps([], 3, 2)
    assert [m.seconds for m in measured] == [(1.0, 1.0)] * 3
    steps.clear()
    order.clear()
    ((*_, last),) = a_contest(made, lambda: steps.append(1)).time(measured, 3)
    assert last.seconds == (1.0, 1.0, 1.0)
    assert order == turn * 2  # the first is a warm-up, and formats are not chosen again
    assert len(steps) == InterleavedBenchmark.count_steps(measured, 3, 3)
    assert not list(a_contest(made).time(measured, 2))
    assert InterleavedBenchmark.count_steps(measured, 3, 2) == 0
    for network in made:
        kernels = [p for p in network.module.parameters() if p.dim() == 4 and p.shape[-1] > 1]
        layout = contest.FORMATS[network.memory_format]
        assert all(p.is_contiguous(memory_format=layout) for p in kernels)


def test_recomputing_is_asked_for_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def fused(network: Any, **options: Any) -> Any:
        asked.append(options)
        return networks.GraphModule(network)

    monkeypatch.setattr(networks, "FusedNetwork", fused)
    built(SupernetConfig(simplify="all,all/naive"))
    built(SupernetConfig(simplify="all,all/naive", recompute=True))
    assert asked == [{}, {"recompute": True}]


def test_cells_put_together_as_in_darts_are_compared_with_its_network() -> None:
    darts = get_space("darts")
    mine = Space(
        name="mine",
        candidates={"none": operations.none, "a": operations.conv(3)},
        skeleton=darts.skeleton,
    )
    size = Size(channels=4, cells=3, image_size=8)
    network, architecture = discrete_network(mine, size)
    assert network == discrete_network(darts, size)[0]
    assert architecture.space == "darts"
    assert network.auxiliary == ""


def test_others_are_compared_with_their_own_reference() -> None:
    cell = dense_cell(2, inputs=2, output=(2, 3), keep=2)
    candidates = {"none": operations.none, "a": operations.conv(3)}
    mine = Space(name="mine", candidates=candidates, skeleton=TwoInput(cell, cell))
    _, architecture = discrete_network(mine, Size(channels=4, cells=3, image_size=8))
    picks = [pick.candidate for cell in architecture.cells.values() for _, pick in cell.picks()]
    assert set(picks) == {"a"}


def test_what_does_not_fit_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_bytes", lambda device: 1000)
    monkeypatch.setattr(supernet, "build_networks", lambda *given: pytest.fail("it was built"))
    with pytest.raises(
        ConfigError, match=r"the supernet of nasbench201 needs about .* GB, and cpu"
    ):
        bench()


def test_a_batch_norm_needs_two_values() -> None:
    with pytest.raises(
        ConfigError, match=r"--batch-size 1 leaves the batch norm .*: give at least"
    ):
        bench(batch_size=1, image_size=4)


def test_recomputing_keeps_less() -> None:
    size = Size(channels=4, cells=3, image_size=8)
    saved: list[int] = []
    for recompute in (False, True):
        config = SupernetConfig(space="darts", simplify="all", recompute=recompute)
        *_, made = built(config, size)
        run, resident = a_contest([made])._loss, [*made.module.parameters()]
        saved.append(saved_bytes(lambda run=run, made=made: run(made), resident))
    assert saved[1] < saved[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "cells", "batch", "discrete_mb", "naive_mb"),
    [("nasbench201", 5, 64, 471.1, 1902), ("darts", 8, 16, 194.2, 2009)],
)
def test_the_golden_bytes(
    space: str, cells: int, batch: int, discrete_mb: float, naive_mb: float
) -> None:
    """What the peers' supernets keep, measured on their own code."""
    config = SupernetConfig(space=space, cells=cells, batch_size=batch, simplify="all")
    made = built(config, Size(channels=16, cells=cells))
    images, labels = torch.randn(batch, 3, 32, 32), torch.zeros(batch, dtype=torch.long)
    contest = a_contest(made, images=images, labels=labels)
    apart = peaks.peaks_in_subprocess(config)
    discrete, naive, simplified = (
        contest.count(network).with_peak(peak) for network, peak in zip(made, apart, strict=True)
    )
    assert discrete.saved_bytes == pytest.approx(discrete_mb * 1e6, rel=0.01)
    assert naive.saved_bytes == pytest.approx(naive_mb * 1e6, rel=0.01)
    assert simplified.saved_bytes < naive.saved_bytes / 2
    if naive.peak_bytes is not None:
        assert naive.peak_bytes == pytest.approx(naive.saved_bytes, rel=0.05)


def test_a_bench_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.json"
    settings: dict[str, Any] = {"simplify": "all", "out": out}
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: pytest.fail("with the times")
    )
    counted = bench(**settings, repeats=0)
    assert {row["peak_missing"] for row in counted.rows} == {"it was not measured"}
    assert [row["times"] for row in counted.rows] == [0, 0, 0]
    assert read_results(out) == counted
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: [(7, "")] * len(config.variants)
    )
    monkeypatch.setattr(InterleavedBenchmark, "count", lambda *given: pytest.fail("counted again"))
    once = bench(**settings, repeats=1)
    assert {row["peak_bytes"] for row in once.rows} == {7}
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: pytest.fail("measured again")
    )
    names = ("saved_bytes", "aten_ops", "macs")
    assert [[r[n] for n in names] for r in once.rows] == [
        [r[n] for n in names] for r in counted.rows
    ]
    twice = bench(**settings, repeats=2)
    assert [r["seconds"][0] for r in twice.rows] == [r["seconds"][0] for r in once.rows]
    assert [r["times"] for r in twice.rows] == [2, 2, 2]
    monkeypatch.setattr(supernet, "build_networks", lambda *given: pytest.fail("it was built"))
    assert bench(**settings, repeats=1).rows == read_results(out).rows
    with pytest.raises(RunError, match="was measured with batch_size=4, not 8"):
        bench(**settings, batch_size=8)


OTHER = """
import torch
from torch import nn

def supernet(size, device):
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.alpha = nn.Parameter(torch.ones(2))
            self.classify = nn.Linear(3, size.classes)
        def forward(self, images):
            return self.classify(images.mean((2, 3))) * self.alpha.softmax(0)[0]
    other = Other().to(device)
    return other, [other.alpha]
"""


@pytest.mark.usefixtures("no_peaks")
def test_other_code_stands_beside_ours_in_turns(tmp_path: Path) -> None:
    file = tmp_path / "some_code.py"
    file.write_text(OTHER)
    results = bench(simplify="all", beside=file, repeats=1)
    row = results.rows[1]
    assert [r["variant"] for r in results.rows] == ["discrete", "some code", "naive", "all"]
    assert (row["simplify"], row["lowering"], row["times"]) == ("none", None, 1)
    assert row["params"] == 10 * 3 + 10  # what is searched is left out
    assert row["macs"] == 30
    assert results.settings["beside"] == "some_code.py"


def test_the_peak_of_other_code_is_measured_apart(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(OTHER)
    found = peaks.peaks_in_subprocess(SupernetConfig(**TINY, simplify="all", beside=file))
    assert len(found) == 4
    assert all(peak is not None or "no peak" in missing for peak, missing in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file"),
        ("1 / 0", "cannot be used: ZeroDivisionError: division by zero"),
        ("", "cannot be used: AttributeError: .* has no attribute 'supernet'"),
        (
            "supernet = lambda size, device: 3",
            r"supernet\(size, device\) must give a module and a list of the tensors",
        ),
        ("supernet = lambda size, device: (3, [])", r"supernet\(size, device\) must give"),
    ],
)
def test_other_code_that_cannot_be_used_says_why(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "o.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=rf"--beside .*o\.py:? {message}"):
        bench(simplify="all", beside=file)


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.txt").write_text("")
    with pytest.raises(ConfigError, match=r"--beside .*o\.txt is no Python file"):
        bench(simplify="all", beside=tmp_path / "o.txt")


def test_the_processor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(bench_threads, "_CPUINFO", info)
    assert bench_threads.processor() == ""
    info.write_text("processor\t: 0\n")
    assert bench_threads.processor() == ""
    info.write_text("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Some CPU\n\n" * 2)
    assert bench_threads.processor() == "Some CPU (family 25, model 17)"


def test_peaks_are_measured_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernet, "peaks_in_subprocess", lambda config: pytest.fail("not wanted"))
    rows = bench(simplify="all", repeats=1, peaks=False).rows
    assert {(row["peak_bytes"], row["times"]) for row in rows} == {(None, 1)}
