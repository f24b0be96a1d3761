"""`archwright profile` writes a table that searches and `inspect` read."""

import json
from pathlib import Path

from archwright.cost.files import read_rows

SMALL = ("--channels", 4, "--cells", 1, "--image-size", 8, "--networks", 2, "--repeats", 5)


def test_a_table_is_measured_and_read(call, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    done = call("profile", *SMALL, "--out", path, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["out"] == str(path)
    assert (found["space"], found["runtime"], found["threads"]) == ("nasbench201", "onnxruntime", 1)
    rows = read_rows(path)
    assert len(rows) == len(found["operations"]) == 1 + 3 * 4 + 6
    assert rows[0]["operation"] == "overhead"
    assert all(float(row["latency_ms"]) > 0 for row in rows)
    assert {row["counted"] for row in rows} == {"used"}


def test_a_table_that_is_there_is_left_alone(call, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("mine")
    done = call("profile", "--out", path)
    assert (done.code, done.out) == (2, "")
    assert "is there already: name a new file, a table is measured as a whole" in done.err
    assert path.read_text() == "mine"


def test_nothing_is_written_where_nothing_was_measured(call, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    done = call("profile", *SMALL, "--runtime", "torch", "--device", "nowhere", "--out", path)
    assert done.code == 1
    assert "torch has no device 'nowhere' here: give --device cpu" in done.err
    assert not path.exists()
