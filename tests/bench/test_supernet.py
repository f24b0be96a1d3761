"""The bench itself, on networks that take milliseconds."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from archwright.bench import contest, entrants, peaks, supernet
from archwright.bench.contest import Contest, Entrant
from archwright.bench.entrants import discrete_network
from archwright.bench.results import Results
from archwright.bench.supernet import bench_supernet
from archwright.bench.supernet_config import SupernetConfig
from archwright.bench.threads import threads
from archwright.cost import activation_bytes, graph_cost, saved_bytes
from archwright.errors import ConfigError
from archwright.runs import device
from archwright.runs.device import make_fabric
from archwright.simplify import simplification, simplify
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
    assert all(r["peak_bytes"] or r["peak_missing"] for r in rows)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_a_process_that_fails_leaves_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "_PROGRAM", "raise SystemExit(3)")
    made = built(SupernetConfig(simplify="all"))
    reason = "the process that measures it ended with code 3"
    assert peaks.peaks_apart(SupernetConfig(**TINY), made) == [(None, reason)] * 3


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
    monkeypatch.setattr(supernet, "peaks_apart", lambda config, made: [(1, "")] * len(made))


@pytest.mark.usefixtures("no_peaks")
def test_another_seed_measures_other_weights_alike(results: Results) -> None:
    again = bench(simplify="pms+fms,all,none/fused", seed=4, repeats=1)
    for name in ("saved_bytes", "macs", "params"):  # operators differ with the memory format
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


def built(config: SupernetConfig, size: Size = SIZE) -> list[Entrant]:
    space = get_space(config.space)
    discrete, _ = discrete_network(space, size)
    return [
        entrants._entrant(v, discrete, space.supernet(size), 0, torch.device("cpu"))
        for v in config.variants
    ]


def a_contest(
    made: list[Entrant],
    advance: Callable[[], object] = lambda: None,
    images: Tensor | None = None,
    labels: Tensor | None = None,
) -> Contest:
    return Contest(
        make_fabric("cpu", "32-true"),
        made,
        torch.randn(4, 3, 8, 8) if images is None else images,
        torch.arange(4) if labels is None else labels,
        advance=advance,
        note=lambda text: None,
    )


def test_a_step_reaches_every_weight_and_alpha() -> None:
    for entrant in built(SupernetConfig(simplify="all")):
        loss = a_contest([entrant])._forward(entrant)
        loss.backward()
        assert all(p.grad is not None for p in entrant.module.parameters())
        if entrant.logits is not None:
            assert entrant.logits.grad is not None
            assert entrant.logits.grad.abs().sum() > 0
        entrant.forget_gradients()
        assert all(p.grad is None for p in entrant.module.parameters())


def test_rows_are_measured_in_turns_in_their_faster_format(monkeypatch: pytest.MonkeyPatch) -> None:
    made = built(SupernetConfig(simplify="all"))
    order: list[tuple[str, str]] = []

    def timed(self: Contest, entrant: Entrant) -> float:
        order.append((entrant.variant.name, entrant.memory_format))
        self._advance()
        fast = "contiguous" if entrant.variant.name == "naive" else "channels_last"
        return 1.0 if entrant.memory_format == fast else 2.0

    monkeypatch.setattr(Contest, "_timed", timed)
    steps: list[int] = []
    measured = a_contest(made, lambda: steps.append(1)).run(2)
    assert [m.memory_format for m in measured] == ["channels_last", "contiguous", "channels_last"]
    turn = [(m.variant.name, m.memory_format) for m in measured]
    assert order[-6:] == turn * 2
    assert len(steps) == Contest.length(3, 2)
    for entrant in made:
        kernels = [p for p in entrant.module.parameters() if p.dim() == 4 and p.shape[-1] > 1]
        layout = contest.FORMATS[entrant.memory_format]
        assert all(p.is_contiguous(memory_format=layout) for p in kernels)


def test_recomputing_is_asked_for_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def fused(network: Any, **options: Any) -> Any:
        asked.append(options)
        return entrants.NaiveNetwork(network)

    monkeypatch.setattr(entrants, "FusedNetwork", fused)
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
    monkeypatch.setattr(supernet, "build_entrants", lambda *given: pytest.fail("it was built"))
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
        run, resident = a_contest([made])._forward, [*made.module.parameters()]
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
    apart = peaks.peaks_apart(config, made)
    discrete, naive, simplified = (
        contest._counted(entrant)(peak) for entrant, peak in zip(made, apart, strict=True)
    )
    assert discrete.saved_bytes == pytest.approx(discrete_mb * 1e6, rel=0.01)
    assert naive.saved_bytes == pytest.approx(naive_mb * 1e6, rel=0.01)
    assert simplified.saved_bytes < naive.saved_bytes / 2
    if naive.peak_bytes is not None:
        assert naive.peak_bytes == pytest.approx(naive.saved_bytes, rel=0.05)
