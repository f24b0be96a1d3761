"""The page of a pruning: before and after, the gates' course, and what was deleted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from archwright.errors import RunError
from archwright.report import result_rows, write_report
from archwright.report.reading.read_run import load_run

NODES = [[["nor_conv_3x3", 0]], [["none", 0], ["nor_conv_1x1", 1]], [["skip_connect", 0]]]
GATES = [{"cell0:1": 1.0, "cell0:2": 0.75, "cell1:1": -0.5, "cell1:2": 1.25}] * 2


def write(folder: Path, records: list[dict[str, Any]], *, finished: bool = True) -> Path:
    """The folder of a pruning with made-up numbers."""
    folder.mkdir()
    config = {"schema": 1, "kind": "prune", "space": "nasbench201", "data": "digits", "epochs": 1}
    (folder / "config.json").write_text(json.dumps(config))
    cell = {"inputs": 1, "nodes": NODES, "output": [3]}
    architecture = {"schema": 1, "space": "nasbench201", "text": "T", "cells": {"cell": cell}}
    if finished:
        (folder / "architecture.json").write_text(json.dumps(architecture))
    (folder / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


def epochs(name: str, **more: Any) -> list[dict[str, Any]]:
    scores = {"train_loss": 1.0, "train_top1": 50.0, "test_loss": 1.1, "test_top1": 48.0, "lr": 0.1}
    return [{"event": "epoch", "name": name, "epoch": e, **scores, **more} for e in range(2)]


START = {"event": "start", "kind": "prune", "params": 10}
PRUNED = {
    "event": "pruned",
    "deleted": {"cell0": [2], "cell1": [1, 2], "cell2": [2]},
    "kinds": {"cell0": "cell", "cell1": "cell", "cell2": "cell", "cell3": "cell"},
    "top1": 41.5,
}
ROWS = [
    {"name": "pruned", "architecture": "P", "channels": 4, "params": 7, "macs": 700, "top1": 49.0},
    {"name": "unpruned", "architecture": "T", "channels": 4, "params": 9, "macs": 1000, "top1": 50},
]
RESULT = {"event": "result", "rows": ROWS, "seconds": 5.0}
WHOLE = [START, *epochs("gated", gates=GATES[0]), PRUNED, *epochs("pruned"), RESULT]


def words(page: Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.read_text()).replace("\u202f", " ").split())


def test_before_and_after_stand_in_a_table(tmp_path: Path) -> None:
    run = write(tmp_path / "run", WHOLE)
    text = words(write_report([run]))
    assert "pruned reaches 49.00 % top-1 at 7 parameters and 700 MACs: 1.00 below unpruned" in text
    assert "4 nodes deleted" in text
    assert "70.0 % of the MACs" in text
    assert "41.50 % top-1 before fine-tuning" in text
    assert [row.name for row in result_rows([run])] == ["pruned", "unpruned"]


def test_each_gate_has_a_panel_that_says_what_became_of_it(tmp_path: Path) -> None:
    html = write_report([write(tmp_path / "run", WHOLE)]).read_text()
    section = html[html.index("Gate of each node") :]
    section = section[: section.index("</section>")]
    titles = re.findall(r"<title>([^<]+)</title>", section)
    assert titles == [
        "cell0, node 1: 1.000, kept",
        "cell0, node 2: 0.750, deleted",
        "cell1, node 1: 0.500, deleted",
        "cell1, node 2: 1.250, deleted",
    ]
    assert section.count('class="tick end">2</text>') == 4  # one scale, which holds the largest


def test_deleted_nodes_are_faint_and_cells_that_lost_the_same_share_a_drawing(
    tmp_path: Path,
) -> None:
    html = write_report([write(tmp_path / "run", WHOLE)]).read_text()
    section = html[html.index("Deleted nodes") : html.index("Gate of each node")]
    assert re.findall(r"<figcaption>([^<]+)</figcaption>", section) == [
        "cell0, cell2 (cell)",
        "cell1 (cell)",
    ]
    gone = [
        re.findall(r'class="node \w+ gone" data-node="(\d)"', s) for s in section.split("<figu")
    ]
    assert gone[1:] == [["2"], ["1", "2"]]
    edges = re.findall(r'class="edge \w+ gone"[^>]*data-edge="(\S+)"', section)
    assert sorted(edges) == [f"{n}-&gt;{m}" for n, m in ("01", "02", "02", "12", "12")]


def test_a_pruning_at_work_has_what_there_is(tmp_path: Path) -> None:
    run = write(tmp_path / "run", WHOLE[:3], finished=False)
    html = write_report([run]).read_text()
    assert "Gate of each node" in html
    assert "Deleted nodes" not in html
    assert "cell0, node 1: 1.000, </title>" in html
    assert load_run(run).pruned is None


def test_a_pruning_without_gates_has_no_course_of_them(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [START, PRUNED, *epochs("pruned"), RESULT])
    html = write_report([run]).read_text()
    assert "Gate of each node" not in html
    assert "Deleted nodes" in html


def test_prunings_are_compared_like_any_other_runs(tmp_path: Path) -> None:
    runs = [write(tmp_path / name, WHOLE) for name in "ab"]
    assert "Best top-1: a and b, 49.00 %" in words(write_report(runs))


@pytest.mark.parametrize(
    ("field", "value"), [("deleted", {"cell0": ["two"]}), ("deleted", 3), ("kinds", 4)]
)
def test_a_damaged_record_is_one_line(tmp_path: Path, field: str, value: object) -> None:
    run = write(tmp_path / "run", [START, {**PRUNED, field: value}])
    with pytest.raises(RunError, match=f"{field}.*: expected .*, got .*: restore it, or run again"):
        write_report([run])
