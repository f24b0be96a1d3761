"""A front is drawn: cost against one-shot accuracy."""

import json
from pathlib import Path
from typing import Any

import pytest

from archwright.errors import RunError
from archwright.report import write_report
from archwright.report.drawing.pareto_chart import front_figures
from archwright.report.reading.read_run import load_run

POINTS = [
    {"limit": 1.0, "costs": {"latency_ms": 1.0, "params": 9e5}, "accuracy": 40.0},
    {"limit": 2.0, "costs": {"latency_ms": 1.9, "params": 8e5}, "accuracy": 52.5},
    {"limit": 3.0, "costs": {"latency_ms": 2.5, "params": 7e5}, "accuracy": 55.0},
]


def a_run(folder: Path, front: list[dict[str, Any]] | None) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"schema": 1, "kind": "search"}))
    result = {"event": "result", "accuracy": 50.0, "params": 1.0, "macs": 1.0, "seconds": 1.0}
    result |= {} if front is None else {"front": front}
    (folder / "log.jsonl").write_text(json.dumps(result) + "\n")
    return folder


def test_a_front_is_drawn_over_its_cost(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "run", POINTS)
    (figure,) = front_figures(load_run(folder))
    assert figure.svg.count("<circle") == 3
    assert "over latency_ms" in figure.svg
    page = write_report([folder]).read_text()
    assert page.count(figure.title) >= 1
    assert "one-shot top-1, %" in page


def test_a_front_of_equal_points_is_drawn_too(tmp_path: Path) -> None:
    (figure,) = front_figures(load_run(a_run(tmp_path / "run", [POINTS[0]] * 2)))
    assert figure.svg.count("<circle") == 2


def test_without_a_front_nothing_is_drawn(tmp_path: Path) -> None:
    assert front_figures(load_run(a_run(tmp_path / "run", None))) == []


def test_a_cost_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    points = [{**POINTS[0], "costs": {"macs": 1e6, "latency_ms": None}}]
    result = load_run(a_run(tmp_path / "run", points)).result
    assert result is not None
    assert [(point.cost, point.value) for point in result.front] == [("macs", 1e6)]


def test_a_point_without_costs(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "run", [{**POINTS[0], "costs": {}}])
    with pytest.raises(RunError, match="a point needs costs and accuracy; run again"):
        load_run(folder)
