"""Commands that leave a run folder: `search`, `train`, and the report on them."""

import json
import shlex
from pathlib import Path

import pytest

DATA = (
    "--data",
    "digits",
    "--limit",
    128,
    "--test-limit",
    64,
    "--batch-size",
    32,
    "--device",
    "cpu",
)
SMALL = (*DATA, "--channels", 4, "--cells", 1, "--epochs", 1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search."""
    from archwright.cli import main

    out = tmp_path_factory.mktemp("cli") / "search"
    assert main(["search", *map(str, SMALL), "--out", str(out)]) == 0
    return out


def test_search_shows_what_it_found(call, found: Path) -> None:
    done = call("search", *SMALL, "--out", found, "--resume")
    assert (done.code, done.err) == (0, "")
    (head,) = [line for line in done.out.splitlines() if "parameters" in line]
    assert head.split() == ["network", "parameters", "MACs", "top-1", "%", "seconds"]
    assert f"report: {found / 'report.html'}" in done.out
    assert (found / "report.html").is_file()
    assert "\x1b" not in done.out


def test_search_prints_json(call, found: Path) -> None:
    done = call("search", *SMALL, "--out", found, "--resume", "--json")
    assert done.out.count("\n") == 1
    result = json.loads(done.out)
    assert {"architecture", "params", "macs", "accuracy", "seconds", "out"} <= set(result)
    assert result["out"] == str(found)
    assert result["architecture"].startswith("|")
    assert "parameters" in done.err
    said = result["data_summary"]
    assert said["line"].startswith("scikit-learn digits: 10 classes (0, 1, 2, ")
    assert (said["train_images"], said["test_images"], said["image_size"]) == (128, 64, 8)
    assert said["line"] in (found / "report.html").read_text()


def test_a_run_keeps_the_command_that_asked_for_it(call, found: Path) -> None:
    command = json.loads((found / "config.json").read_text())["command"]
    assert shlex.split(command) == ["archwright", "search", *map(str, SMALL), "--out", str(found)]
    assert call("search", *SMALL, "--out", found, "--resume").code == 0
    assert json.loads((found / "config.json").read_text())["command"] == command


def test_inspect_counts_as_the_search_did(call, found: Path) -> None:
    result = json.loads(call("search", *SMALL, "--out", found, "--resume", "--json").out)
    facts = json.loads(call("inspect", "--architecture", found, "--json").out)
    assert (facts["classes"], facts["image_size"], facts["image_channels"]) == (10, 8, 1)
    assert (facts["channels"], facts["cells"]) == (4, 1)
    published = result["published_params"], result["published_macs"]
    assert (facts["params"], facts["macs"]) == published
    own = json.loads(call("inspect", found, "--json").out)
    assert (own["params"], own["macs"]) == (result["params"], result["macs"])
    assert own["network"] == str(found / "network.json")
    done = call("inspect", "--architecture", found, "--image-channels", 3, "--classes", 7, "--json")
    facts = json.loads(done.out)
    assert (facts["classes"], facts["image_size"], facts["image_channels"]) == (7, 8, 3)


def test_search_goes_on_only_with_the_same_settings(call, found: Path) -> None:
    done = call("search", *SMALL, "--out", found)
    assert (
        done.err
        == f"archwright: error: {found} holds a run already: add --resume, or give another --out\n"
    )
    assert done.code == 1
    done = call("search", *SMALL, "--out", found, "--resume", "--seed", 1)
    assert done.err == (
        f"archwright: error: {found} was run with seed=0, not 1: "
        f"resume with the same settings, or give another --out\n"
    )
    assert done.code == 1


def test_train_shows_a_row_a_network(call, found: Path, tmp_path: Path) -> None:
    words = ("train", "--architecture", found, *SMALL, "--auxiliary", 0, "--against", "hand-made")
    out = tmp_path / "train"
    done = call(*words, "--out", out, "--resume")  # a missing folder is started
    assert done.code == 0
    rows = [line.split()[0] for line in done.out.splitlines() if "|" in line]
    assert rows == ["found", "hand-made"]
    assert max(map(len, done.out.splitlines())) > 80
    assert f"report: {out / 'report.html'}" in done.out
    done = call(*words, "--out", out, "--resume", "--json")
    result = json.loads(done.out)
    assert {"top1", "params", "macs", "seconds", "out", "architecture"} <= set(result)
    assert [row["name"] for row in result["rows"]] == ["found", "hand-made"]
    assert result["data_summary"]["test_images"] == 64

    done = call("report", found, out)
    assert [line.split()[0] for line in done.out.splitlines() if "|" in line] == rows
    assert done.out.endswith(f"\nreport: {found.parent / 'report.html'}\n")
    both = json.loads(call("report", found, out, "--json").out)
    assert both["report"] == str(found.parent / "report.html")
    assert [(r["name"], r["params"], r["top1"]) for r in both["rows"]] == [
        (r["name"], r["params"], r["top1"]) for r in result["rows"]
    ]


def test_report_writes_where_it_is_told(call, found: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = call("report", found, "--out", page, "--json")
    assert json.loads(done.out) == {"report": str(page), "rows": []}
    assert page.read_text().lower().startswith("<!doctype html>")


def test_report_says_what_is_no_run(call, tmp_path: Path) -> None:
    done = call("report", tmp_path / "none")
    assert done.code == 1
    assert (
        done.err
        == f"archwright: error: {tmp_path / 'none'}: there is no such run folder; check the path\n"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--space", "nasbench20"), "unknown space 'nasbench20': did you mean 'nasbench201'? "),
        (("--method", "dart"), "unknown method 'dart': did you mean 'darts'? "),
        (("--device", "cuda:99"), "device cuda:99 is not on this machine: "),
        (("--channels", "100000"), "this supernet needs about "),
    ],
)
def test_what_cannot_be_searched_is_one_line(call, tmp_path: Path, words, line: str) -> None:
    done = call("search", *DATA, *words, "--out", tmp_path / "run")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"archwright: error: {line}")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_budget_counts_on_the_images_and_every_verdict_says_so(call, tmp_path: Path) -> None:
    words = ("--deploy-channels", 4, "--deploy-cells", 1, "--max-macs", 10_000_000)
    out = tmp_path / "within"
    done = call("search", *SMALL, *words, "--out", out, "--json")
    result = json.loads(done.out)
    size = {"channels": 4, "cells": 1, "classes": 10, "image_size": 8, "image_channels": 1}
    assert result["counted_at"] == size
    assert result["costs"]["macs"] == result["macs"] <= result["limits"]["macs"] == 10_000_000
    told = "counted at channels 4, cells 1, classes 10, images 1x8x8"
    assert f"macs: {result['macs']:,} of at most 1e+07\nwithin the budgets; {told}\n" in done.err
    assert (
        "Counted at channels 4, cells 1, classes 10, images 1x8x8."
        in (out / "report.html").read_text()
    )
    facts = json.loads(call("inspect", "--architecture", out, "--json").out)
    assert facts["costs"]["macs"] == result["costs"]["macs"]
    larger = call(
        "search", *SMALL, *words, "--deploy-image-size", 64, "--out", tmp_path / "larger", "--json"
    )
    at = json.loads(larger.out)
    assert at["counted_at"] == {**size, "image_size": 64}
    assert at["costs"]["macs"] > 10 * at["macs"]
