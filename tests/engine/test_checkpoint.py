import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from archwright.engine.device import make_fabric
from archwright.engine.runs.checkpoint import (
    load_checkpoint,
    loading,
    restore_random,
    save_checkpoint,
)
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import RunFolder
from archwright.errors import RunError

from .helpers import files

CPU = torch.device("cpu")


def keeper(path: Path, every: float = 1e9) -> Checkpointer:
    return Checkpointer(RunFolder(path), make_fabric("cpu", "32-true"), every)


def test_state_and_random_numbers_come_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.pt"
    torch.manual_seed(7)
    torch.rand(3)
    save_checkpoint(path, {"epoch": 3, "weights": torch.arange(4.0)}, CPU)
    expected = torch.rand(5)
    state = load_checkpoint(path)
    assert not torch.equal(torch.rand(5), expected)
    restore_random(state, CPU)
    assert torch.equal(torch.rand(5), expected)
    assert state["epoch"] == 3
    assert torch.equal(state["weights"], torch.arange(4.0))
    assert files(tmp_path) == ["checkpoints/last.pt"]


def test_a_checkpoint_cut_short_anywhere_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.rand(1000)}, CPU)
    content = path.read_bytes()
    for length in (0, 1, 2, 100, len(content) // 2, len(content) - 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"is cut short or damaged .*: delete it") as raised:
            load_checkpoint(path)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [{"schema": 2}, {}, [1]])
def test_a_checkpoint_of_another_version(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "last.pt"
    torch.save(content, path)
    with pytest.raises(RunError, match=r"of another version: this one reads schema 1"):
        load_checkpoint(path)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no checkpoint at"):
        load_checkpoint(tmp_path / "last.pt")


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    state = {"epoch": 3, "weights": torch.rand(40), "facts": {"top1": 12.5, "name": "found"}}
    save_checkpoint(path, state, CPU)
    content, whole = path.read_bytes(), load_checkpoint(path)
    generator = random.Random(1)
    said: list[str] = []
    for place in {*range(0, len(content), 97), *range(len(content) - 300, len(content))}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            read = load_checkpoint(path)
        except RunError as error:
            said.append(str(error))
            continue
        assert all(str(read[name]) == str(value) for name, value in whole.items()), place
    assert len(said) > 50
    assert all(re.search(r"is cut short or damaged \(.*\): delete it", line) for line in said)
    assert not any("\n" in line for line in said)


def test_a_bit_flipped_in_a_weight_is_named(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    save_checkpoint(path, {"weights": torch.full((64,), 1.5)}, CPU)
    content = path.read_bytes()
    value = torch.tensor(1.5).numpy().tobytes() * 64
    place = content.index(value) + 100
    path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
    message = r"best\.pt is .*damaged \(the checksum of its part .*/data/\d+ is another\): give the"
    with pytest.raises(RunError, match=message):
        load_checkpoint(path)


def test_the_checkpoint_before_the_last_is_kept_until_the_end(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    for epoch in (1, 2, 3):
        one.folder.log.write("epoch", epoch=epoch)
        one.save({"epoch": epoch})
    path = one.folder.checkpoint("last")
    path.write_bytes(path.read_bytes()[:-50])
    message = r"last\.pt is .*: delete it, and --resume goes on from the one before it, previous"
    with pytest.raises(RunError, match=message):
        keeper(tmp_path).restore()
    path.unlink()
    other = keeper(tmp_path)
    state = other.restore()
    assert state is not None
    assert state["epoch"] == 2
    assert [record["epoch"] for record in other.folder.log.records()] == [1, 2]
    other.save({"epoch": 3})
    other.finish({"top1": 1.0})
    assert files(tmp_path) == ["checkpoints/last.pt", "log.jsonl"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1}, CPU)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*last.pt: No space left on device"):
        save_checkpoint(path, {"epoch": 2}, CPU)
    assert load_checkpoint(path)["epoch"] == 1
    assert files(tmp_path) == ["last.pt"]


def test_state_of_another_network_is_one_line(tmp_path: Path) -> None:
    state = torch.nn.Linear(2, 3).state_dict()
    message = "last.pt is of another network .*: delete it"
    with pytest.raises(RunError, match=message), loading(tmp_path / "last.pt"):
        torch.nn.Linear(2, 4).load_state_dict(state)
    with pytest.raises(RunError, match=message), loading(tmp_path / "last.pt"):
        state["alpha"]


def test_the_keeper_cuts_the_log_back_to_its_checkpoint(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    one.folder.log.write("epoch", epoch=0)
    one.save({"epoch": 1})
    one.folder.log.write("epoch", epoch=1)
    other = keeper(tmp_path)
    state = other.restore()
    assert state is not None
    assert state["epoch"] == 1
    assert [record["epoch"] for record in other.folder.log.records()] == [0]


def test_without_a_checkpoint_the_log_starts_over(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    one.folder.log.write("start")
    assert one.restore() is None
    assert one.folder.log.records() == []


def test_a_damaged_checkpoint_leaves_the_log_alone(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    one.folder.log.write("start")
    one.save({})
    one.folder.log.write("epoch", epoch=0)
    path = one.folder.checkpoint("last")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=r"cut short"):
        keeper(tmp_path).restore()
    assert len(one.folder.log.records()) == 2


def test_seconds_go_on_where_the_checkpoint_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    one = keeper(tmp_path)
    now += 10
    one.save({})
    now += 500  # lost: it is not in the checkpoint, and then the machine was off
    other = keeper(tmp_path)
    other.restore()
    now += 2.5
    assert other.tick() == 12.5
    now += 1
    assert other.tick() == 13.5


def test_what_is_due_is_checked_before_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    one = keeper(tmp_path, every=5.0)
    calls: list[str] = []

    def save(content: dict[str, Any]) -> None:
        calls.append("save")
        one._saved = now

    monkeypatch.setattr(one, "save", save)
    for step in range(4):
        now += 4
        one.after_step(step, 4, lambda: calls.append("check"), dict)
    # due after the second step (8 > 5); after the fourth too, but the epoch's end saves that one
    assert calls == ["check", "check", "save", "check", "check"]


def test_a_gpu_is_asked_now_and_then(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    one.device = torch.device("cuda")
    looked: list[int] = []
    for step in range(120):
        one.after_step(step, 120, lambda step=step: looked.append(step), dict)
    assert looked == [0, 50, 100, 119]
