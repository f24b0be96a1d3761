"""The command line of benches; what they measure is tested beside them."""

import json
from pathlib import Path

import pytest

from archwright.bench.engine.results import read_results
from archwright.bench.supernet import run as supernet

TINY = ("--channels=4", "--cells=1", "--image-size=8", "--batch-size=4", "--repeats=2")


def test_the_command_prints_rows_and_writes_them(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # in a process of its own
    monkeypatch.setattr(
        supernet, "peaks_in_subprocess", lambda config: [(None, "no")] * len(config.variants)
    )
    out = tmp_path / "new" / "rows.json"
    done = call("bench", "supernet", *TINY, "--simplify", "all", "--out", out, "--json")
    assert done.code == 0
    rows = json.loads(done.out.splitlines()[-1])
    assert rows == read_results(out).rows
    assert [row["variant"] for row in rows] == ["discrete", "naive", "all"]
    assert "timing 3 networks, round 2/2" in done.err
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


@pytest.mark.parametrize(
    "words",
    [
        ("supernet",),
        ("nasbench201",),
        ("rank",),
        ("darts",),
        ("budgets",),
        ("pruning", "darts-v2"),
        ("predictor",),
        ("profile", "--table", "table.csv"),
    ],
    ids=lambda words: words[0],
)
def test_results_that_cannot_be_written_are_known_at_once(
    call, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "rows.json"
    done = call("bench", *words, "--out", out)
    assert done.code == 1
    assert done.err == (
        f"archwright: error: cannot write {out}: Not a directory; give another --out\n"
    )


SEARCHES = (
    *("bench", "nasbench201", "--methods", "darts", "--simplify", "none,all", "--seeds", "0-1"),
    *("--data", "digits", "--channels=4", "--cells=1", "--epochs=1", "--batch-size=16"),
    *("--limit=64", "--test-limit=32", "--no-baselines", "--device=cpu"),
)


def test_searches_are_run_and_compared(call, tmp_path: Path) -> None:
    done = call(*SEARCHES, "--runs", tmp_path, "--json")
    assert done.code == 0
    content = json.loads(done.out)
    assert content["command"].startswith("archwright bench nasbench201 --methods darts --simplify")
    assert [(s["method"], s["simplify"], s["seed"]) for s in content["searches"]] == [
        *(("darts", "none", 0), ("darts", "all", 0), ("random", "none", 0)),
        *(("darts", "none", 1), ("darts", "all", 1), ("random", "none", 1)),
    ]
    assert [row["n"] for row in content["rows"]] == [2, 2, 2]
    assert [test["dataset"] for test in content["tests"]] == ["cifar10", "cifar100", "imagenet16"]
    assert content["searches"] == json.loads((tmp_path / "searches.json").read_text())["searches"]
    assert "6/6 random none, seed 1: |" in done.err
    assert "searched on scikit-learn digits, preset proxy" in done.err
    random = next(line for line in done.err.splitlines() if line.strip().startswith("random "))
    assert random.split()[1:4] == ["\N{EN DASH}", "2", "\N{EN DASH}"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--methods", "dart"), 2, "unknown method 'dart': did you mean 'darts'?"),
        (("--seeds", "four"), 2, "--seeds four: give numbers and ranges, such as 0-4 or 0,2,5-7"),
        (("--preset", "papre"), 2, "unknown preset 'papre': did you mean 'paper'?"),
        (("--batch-size", "4000"), 1, "a batch of 4000 is larger than the 32 images"),
    ],
)
def test_a_bench_of_searches_that_cannot_run_says_so(
    call, tmp_path: Path, words: tuple[str, ...], code: int, line: str
) -> None:
    done = call(*SEARCHES, "--runs", tmp_path / "runs", *words)
    assert done.code == code
    *images, last = done.err.splitlines()  # the images are named once a process
    assert last.startswith(f"archwright: error: {line}")
    assert all(text.startswith("scikit-learn digits: ") for text in images)
    assert not (tmp_path / "runs").exists()


def test_results_of_another_bench_are_left_alone(call, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    out.write_text('{"schema": 1, "rows": []}')
    done = call(*SEARCHES, "--out", out)
    assert done.code == 1
    assert done.err.startswith(f"archwright: error: {out} holds no searches (it lacks command")
    assert done.err.count("\n") == 1
    assert out.read_text() == '{"schema": 1, "rows": []}'
