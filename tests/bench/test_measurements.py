"""Ratios by hand, and files that hold rows."""

import json
from pathlib import Path

import pytest

from archwright.bench.engine.results import Results, read_results, write_results
from archwright.bench.supernet.measurements import (
    Measurement,
    measurement_rows,
    parse_measurements,
    rounds,
)
from archwright.bench.supernet.variants import DISCRETE, NAIVE, Variant
from archwright.errors import RunError

ALL = Variant(name="all", simplify="all", lowering="fused")


def measured(variant: Variant, saved: int, *seconds: float) -> Measurement:
    return Measurement(
        variant=variant,
        saved_bytes=saved,
        peak_bytes=None,
        peak_missing="not looked at",
        aten_ops_forward=1,
        aten_ops=3,
        launches=None,
        macs=5,
        params=7,
        memory_format="contiguous" if seconds else None,
        seconds=seconds,
    )


def test_ratios_by_hand() -> None:
    rows = measurement_rows(
        [
            measured(DISCRETE, 100, 1.0, 2.0, 3.0),
            measured(NAIVE, 400, 10.0, 8.0, 12.0),
            measured(ALL, 200, 5.0, 4.0, 3.5),
        ]
    )
    discrete, naive, simplified = rows
    assert [row["variant"] for row in rows] == ["discrete", "naive", "all"]
    assert (discrete["memory_ratio"], discrete["time_ratio"]) == (1, 1)
    assert discrete["normalised_cost"] is None
    assert (naive["memory_ratio"], naive["time_ratio"], naive["time_ratio_min"]) == (4, 5, 8)
    assert (simplified["memory_ratio_to_naive"], simplified["time_ratio_to_naive"]) == (0.5, 0.4)
    assert naive["normalised_cost"] == (400 / 200 + 10 / 4) / 2  # the discrete one is not in it
    assert simplified["normalised_cost"] == 1
    assert (simplified["step_s"], simplified["step_min_s"], simplified["times"]) == (4, 3.5, 3)
    assert simplified["step_quartiles_s"] == [3.75, 4.5]
    assert (simplified["simplify"], simplified["lowering"]) == ("all", "fused")
    assert (simplified["peak_bytes"], simplified["peak_missing"]) == (None, "not looked at")
    json.dumps(rows, allow_nan=False)


def test_one_step_has_no_spread() -> None:
    rows = measurement_rows([measured(DISCRETE, 1, 2.0), measured(NAIVE, 1, 2.0)])
    assert rows[0]["step_quartiles_s"] == [2.0, 2.0]


def test_what_is_not_timed_has_no_times() -> None:
    counted = [measured(DISCRETE, 100), measured(NAIVE, 400, 2.0), measured(ALL, 200)]
    discrete, naive, simplified = measurement_rows(counted)
    assert rounds(counted) == simplified["times"] == 0
    assert (naive["memory_ratio"], naive["time_ratio"], naive["normalised_cost"]) == (4, None, None)
    names = ("step_s", "step_min_s", "step_quartiles_s", "time_ratio", "time_ratio_to_naive")
    assert [discrete[name] for name in names] == [None] * 5


def test_rows_come_back_as_they_were_measured() -> None:
    other = Variant(name="original", simplify="none", lowering=None)
    all_of_them = [measured(DISCRETE, 1, 2.0), measured(NAIVE, 2), measured(other, 3, 1.0, 4.0)]
    written = json.loads(json.dumps(measurement_rows(all_of_them)))
    assert parse_measurements(written) == all_of_them
    with pytest.raises(RunError, match="it lacks macs"):
        parse_measurements([{name: value for name, value in written[0].items() if name != "macs"}])


def some() -> Results:
    return Results(
        command="archwright bench supernet",
        settings={"space": "darts"},
        versions={"torch": "2"},
        hardware="a machine",
        threads=2,
        rows=[{"variant": "naive"}],
    )


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    write_results(path, some())
    assert read_results(path) == some()
    assert json.loads(path.read_text())["schema"] == 1
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"no results at .*r\.json: run the bench with --out"),
        ("{", r"r\.json cannot be read as results: Expecting"),
        ("[]", r"r\.json holds no results of a bench"),
        ('{"rows": []}', "holds no results of a bench"),
        ('{"schema": 2}', "holds results of schema 2, this version reads 1: run the bench again"),
        ('{"schema": 1, "rows": []}', "lacks command, settings, versions, hardware, threads"),
        (
            '{"schema": 1, "rows": [5], "command": "", "settings": {}, "versions": {}, '
            '"hardware": "", "threads": 1}',
            r"r\.json: its rows cannot be \[5\]",
        ),
    ],
)
def test_what_is_no_results_is_said_so(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "r.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RunError, match=message):
        read_results(path)
