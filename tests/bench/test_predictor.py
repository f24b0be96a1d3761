"""Benches of predicted and of profiled latencies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archwright.bench.engine.results import Results, read_results, write_results
from archwright.bench.predictor.config import PredictorConfig
from archwright.bench.predictor.run import _BudgetCheck, bench_predictor
from archwright.bench.predictor.tables import predictor_table
from archwright.bench.profile.config import ProfileBenchConfig
from archwright.bench.profile.run import TableAgreement, bench_profile
from archwright.cli import main
from archwright.engine.device import versions
from archwright.errors import ConfigError, RunError
from archwright.tables.nasbench201 import architectures
from docs_tables.predictor import predictor
from docs_tables.profile import profiles

BUDGET = {"percentile": 20, "limit_ms": 1.0, "over": 0.0, "over_without_margin": 0.5}


def row(seed: int, spearman: float) -> dict[str, Any]:
    names = ("additive_spearman", "median_error", "margin_ms", "beyond_bound", "fit_seconds")
    return {
        "device": "fpga",
        "seed": seed,
        "spearman": spearman,
        **dict.fromkeys(names, 0.25),
        "budgets": [BUDGET],
    }


def results(**settings: Any) -> Results:
    return Results(
        command="archwright bench predictor",
        settings=settings,
        versions={},
        hardware="none",
        threads=1,
        rows=[row(0, 0.9), row(1, 0.7)],
    )


def test_a_row_a_device() -> None:
    table = predictor_table(results())
    (made,) = table.rows
    assert made[:4] == ("fpga", "2", "0.8000", "0.7000")
    assert made[-3:] == ("0.00", "50.00", "0.2")


def test_what_the_docs_say(tmp_path: Path) -> None:
    assert predictor(tmp_path) == ""
    write_results(tmp_path / "predictor.json", results())
    assert "| fpga | 2 | 0.8000 |" in predictor(tmp_path)


def test_choices_are_counted_by_what_is_measured() -> None:
    held = _BudgetCheck(
        2.0,
        np.array([1.0, 3.0, 1.5, 9.0]),
        np.array([1.5, 1.9, 1.0, 9.0]),
        np.array([True, True, False, True]),
    )
    strengths = torch.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 2.0, 3.0]])
    # the last is beyond the limit, the third unusable; of the first two the second is over it
    assert list(held.over(strengths)) == [True, False]
    assert held.share_over(strengths) == 0.5
    assert held.regret(np.array([80.0, 95.0, 99.0, 99.0])) == 0.0
    nothing = replace(held, limit=0.5)
    assert nothing.share_over(strengths) == 0.0
    assert nothing.regret(np.zeros(4)) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"devices": "fpga,phone"}, "--devices: unknown device 'phone'"),
        ({"samples": 5}, "--samples must be 10 or more"),
        ({"choices": 0}, "--choices must be above 0, got 0"),
        ({"out": Path("/")}, "--out / is a folder: name a file"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PredictorConfig(**given)


def test_results_of_other_settings_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "predictor.json"
    write_results(path, results(samples=7, choices=200))
    with pytest.raises(RunError, match=r"was measured with samples=7, not 300: repeat its settin"):
        bench_predictor(PredictorConfig(out=path))


def test_results_of_another_machine_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "predictor.json"
    here = replace(results(samples=300, choices=200), versions=versions(), threads=1)
    write_results(path, replace(here, hardware="another machine"))
    with pytest.raises(RunError, match=r"was measured with hardware='another machine', not '"):
        bench_predictor(PredictorConfig(out=path))


def test_the_commands_are_those_of_the_rows() -> None:
    rows = [{"device": one, "seed": seed} for one in ("fpga", "raspi4") for seed in (0, 1)]
    said = PredictorConfig.command({"samples": 300}, [*rows, {"device": "eyeriss", "seed": 3}])
    assert said.splitlines() == [
        "archwright bench predictor --devices fpga,raspi4 --samples 300 --seeds 0-1",
        "archwright bench predictor --devices eyeriss --samples 300 --seeds 3",
    ]


@pytest.mark.slow
def test_a_bench_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "predictor.json"
    config = PredictorConfig(devices="fpga", seeds="0", samples=40, choices=10, out=path)
    (first,) = bench_predictor(config).rows
    assert first["spearman"] > 0.99
    assert first["held_out"] == 15625 - 40
    both = bench_predictor(replace(config, seeds="0-1")).rows
    assert both[0] == first
    assert read_results(path).rows == both
    assert [one["seed"] for one in both] == [0, 1]


def test_a_profiled_table_is_compared_with_networks(tmp_path: Path) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "profile.json"
    size = ("--channels", "4", "--cells", "1", "--image-size", "8", "--repeats", "5")
    assert main(["profile", *size, "--networks", "2", "--out", str(table)]) == 0
    config = ProfileBenchConfig(
        table=table, channels=4, cells=1, image_size=8, networks=3, repeats=5, out=out
    )
    found = bench_profile(config)
    assert len(found.rows) == 3
    assert all(one["predicted_ms"] > 0 < one["measured_ms"] for one in found.rows)
    assert read_results(out).rows == found.rows
    assert found.command == (
        "archwright bench profile --table table.csv --space nasbench201 --channels 4 --cells 1 "
        "--image-size 8 --networks 3 --repeats 5"
    )
    assert -1 <= TableAgreement.of(found).spearman <= 1


def profiled(*rows: tuple[float, float]) -> Results:
    """Networks that were measured, and predicted."""
    names = ("measured_ms", "predicted_ms")
    settings = {"runtime": "onnxruntime"}
    return replace(results(**settings), rows=[dict(zip(names, row, strict=True)) for row in rows])


def test_a_common_factor_is_told_from_the_rest() -> None:
    found = TableAgreement.of(profiled((2.0, 1.0), (4.0, 2.0), (9.0, 3.0)))
    assert found.spearman == pytest.approx(1)
    assert (found.error, found.factor, found.error_left) == pytest.approx((0.5, 2.0, 0.0))


def test_every_time_a_table_was_measured_has_a_row(tmp_path: Path) -> None:
    assert profiles(tmp_path) == ""
    write_results(tmp_path / "profile-1.json", profiled((2.0, 1.0), (4.0, 2.0), (9.0, 3.0)))
    write_results(tmp_path / "profile-2.json", profiled((1.0, 1.0), (2.2, 2.0)))
    text = profiles(tmp_path)
    assert "| 1 | 3 | 1.000 | 50.0 | 2.00 | 0.0 |" in text
    assert "| 2 | 2 | 1.000 | 4.5 | 1.05 | 4.8 |" in text


def test_a_table_must_say_where_it_was_measured(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    lines = [f"{text},1.5" for text in architectures()[:3]]
    table.write_text("\n".join(["architecture,latency_ms", *lines]))
    with pytest.raises(ConfigError, match="does not say its runtime: give a table of archwright p"):
        bench_profile(ProfileBenchConfig(table=table))
