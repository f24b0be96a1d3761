from pathlib import Path

import pytest

from archwright.engine.runs.log import RunLog
from archwright.errors import RunError


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path / "log.jsonl")


def test_records_come_back_in_order(log: RunLog) -> None:
    assert log.records() == []
    assert log.size() == 0
    log.write("start", kind="search")
    log.write("epoch", epoch=0)
    log.write("epoch", epoch=1)
    assert log.records() == [
        {"event": "start", "kind": "search"},
        {"event": "epoch", "epoch": 0},
        {"event": "epoch", "epoch": 1},
    ]
    assert log.last("epoch") == {"epoch": 1}
    assert log.last("result") is None


def test_a_last_line_cut_off_by_a_kill_is_left_out_wherever_it_is_cut(log: RunLog) -> None:
    log.write("start", kind="search")
    whole = log.size()
    log.write("result", text="ü|none~0|")
    content = log.path.read_bytes()
    for length in range(whole, len(content)):
        log.path.write_bytes(content[:length])
        assert [record["event"] for record in log.records()] == ["start"]
        assert log.last("result") is None


def test_cut_goes_back_to_a_size_and_writing_goes_on_there(log: RunLog) -> None:
    log.write("epoch", epoch=0)
    size = log.size()
    log.write("epoch", epoch=1)
    with log.path.open("a") as file:
        file.write('{"event": "ep')
    log.cut(size)
    log.write("epoch", epoch=2)
    assert [record["epoch"] for record in log.records()] == [0, 2]
    log.cut(log.size())
    assert len(log.records()) == 2


def test_a_log_that_is_shorter_than_it_was_is_refused(log: RunLog) -> None:
    log.write("epoch", epoch=0)
    log.write("epoch", epoch=1)
    size = log.size()
    for content in (log.path.read_bytes()[: size - 3], b""):
        log.path.write_bytes(content)
        with pytest.raises(
            RunError,
            match=r"log\.jsonl has lost lines that the last checkpoint counts on: restore it, or "
            r"start a new run$",
        ):
            log.cut(size)
        assert log.path.read_bytes() == content


@pytest.mark.parametrize("line", [b'{"event": "ep', b"[1]", b'{"epoch": 3}', b"\xff"])
def test_a_damaged_line_in_the_middle_is_named(log: RunLog, line: bytes) -> None:
    log.write("epoch", epoch=0)
    log.path.write_bytes(log.path.read_bytes() + line + b"\n")
    log.write("epoch", epoch=1)
    with pytest.raises(RunError, match=r"log.jsonl is damaged: line 2 is no record"):
        log.records()


def test_a_number_that_is_not_finite_is_not_written(log: RunLog) -> None:
    with pytest.raises(ValueError, match=r"not JSON compliant"):
        log.write("epoch", loss=float("nan"))
    assert log.size() == 0


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*log.jsonl: .*go on with --resume"):
        RunLog(tmp_path / "missing" / "log.jsonl").write("start")
