"""Files of searches: what is in them, and which are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archwright.bench.engine.results import require_same, write_results
from archwright.bench.nasbench201.searches import read_searches
from archwright.errors import RunError
from docs_tables.nasbench201 import merge_searches

from .sample_searches import CONV1, results, search

FIRST, SECOND = search("darts none", 0), search("darts all", 0, CONV1)


def test_searches_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "searches.json"
    held = results(FIRST, SECOND)
    write_results(path, held)
    assert read_searches(path) == held
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    row = content["searches"][1]
    assert (row["method"], row["simplify"], row["lowering"]) == ("darts", "all", "fused")
    assert row["architecture"] == CONV1
    assert not [name for name in row if "test" in name or "accuracy" in name]


def test_what_a_file_says_of_accuracy_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "searches.json"
    write_results(path, results(FIRST))
    content = json.loads(path.read_text())
    content["searches"][0]["cifar10_test"] = 99.9
    path.write_text(json.dumps(content))
    assert read_searches(path) == results(FIRST)


def test_a_search_is_found_by_contestant_and_seed() -> None:
    held = results(FIRST, SECOND)
    assert held.find(SECOND.arm, 0) == SECOND
    assert held.find(SECOND.arm, 1) is None


def edited(path: Path, change: Any) -> None:
    write_results(path, results(FIRST))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema=2), "schema 2, this version reads 1: run the bench again"),
        (lambda c: c.pop("searches"), r"s\.json holds no searches \(it lacks searches\)"),
        (lambda c: c["searches"][0].pop("seed"), "search 1: it lacks seed"),
        (lambda c: c["searches"][0].pop("method"), "search 1: it lacks method"),
        (lambda c: c["searches"][0].update(seconds="x"), "search 1: its seconds cannot be 'x'"),
        (lambda c: c["searches"][0].update(lowering="x"), "search 1: its lowering cannot be 'x'"),
        (lambda c: c.update(settings=5), r"s\.json: its settings cannot be 5"),
        (lambda c: c.update(searches=5), r"s\.json: its searches cannot be 5"),
        (
            lambda c: c["searches"][0].update(architecture="|no~0|"),
            "search 1: not a NAS-Bench-201 architecture: column 2",
        ),
    ],
)
def test_what_are_no_searches_is_said_so(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "s.json"
    edited(path, change)
    with pytest.raises(RunError, match=message):
        read_searches(path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (results(limit=200), r"s\.json was measured with limit=None, not 200: repeat its settings"),
        (replace(results(), hardware="b"), "hardware='a machine', not 'b'"),
        (replace(results(), threads=3), "threads=2, not 3"),
        (replace(results(), versions={"torch": "3"}), "torch='2', not '3'"),
    ],
)
def test_other_settings_are_refused(other: Any, message: str) -> None:
    require_same(Path("s.json"), results(FIRST), results())
    with pytest.raises(RunError, match=message):
        require_same(Path("s.json"), results(FIRST), other)


def test_files_of_the_same_settings_are_merged() -> None:
    one, other = results(FIRST, SECOND), results(SECOND, search("gdas all", 3))
    elsewhere = replace(results(FIRST), hardware="another")
    assert [m.searches for m in merge_searches([one, elsewhere, other])] == [
        (FIRST, SECOND, search("gdas all", 3)),
        (FIRST,),
    ]
