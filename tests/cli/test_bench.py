"""The command line of benches; what they measure is tested beside them."""

import json
from pathlib import Path

import pytest

from archwright.bench import supernet
from archwright.bench.results import read_results

TINY = ("--channels=4", "--cells=1", "--image-size=8", "--batch-size=4", "--repeats=2")


def test_the_command_prints_rows_and_writes_them(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # in a process of its own
    monkeypatch.setattr(supernet, "peaks_apart", lambda config, made: [(None, "no")] * len(made))
    out = tmp_path / "new" / "rows.json"
    done = call("bench", "supernet", *TINY, "--simplify", "all", "--out", out, "--json")
    assert done.code == 0
    rows = json.loads(done.out.splitlines()[-1])
    assert rows == read_results(out).rows
    assert [row["variant"] for row in rows] == ["discrete", "naive", "all"]
    assert "timing 2 steps of 3 networks in turns" in done.err
    assert "naive, c" in done.err
    assert "normalised cost" in done.err


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--space", "drats"), 1, "unknown space 'drats': did you mean 'darts'?"),
        (("--simplify", "pns"), 2, "unknown simplification 'pns': did you mean 'pms'?"),
        (("--simplify", "all/quick"), 2, "--simplify all/quick: unknown lowering 'quick'"),
        (("--batch-size", "0"), 2, "--batch-size must be above 0, got 0"),
        (("--device", "cuda:99"), 1, "device cuda:99 is not on this machine"),
        (("--space", "darts", "--cells", "2"), 1, "cells=2 is too few"),
        (("--batch-size", "999999999"), 1, "the supernet of nasbench201 needs about"),
    ],
)
def test_an_error_is_one_line(call, words: tuple[str, ...], code: int, line: str) -> None:
    done = call("bench", "supernet", *words)
    assert done.code == code
    assert done.err.startswith(f"archwright: error: {line}")
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_a_folder_that_cannot_be_made_is_known_at_once(call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("bench", "supernet", "--out", tmp_path / "file" / "rows.json")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "file" in done.err
