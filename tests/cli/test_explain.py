"""`explain`: an edge after each stage, counted as in the paper; and errors that say what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archwright.cli.pretty_print import lines
from archwright.graph import Chain, Decision, ReLU, Shape, chain, choose, concat
from archwright.graph.passes.simplification import Simplification, simplify_expr
from archwright.spaces import SPACES, Size, get_space

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "my_space.py"


def rows(call, *words: object) -> list[tuple[object, ...]]:
    done = call("explain", *words, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    return [tuple(row[key] for key in ("stage", "conv", "non_conv", "total")) for row in found]


def test_the_edge_of_darts_is_that_of_table_ii(call) -> None:
    table = [
        ("original", 6, 14, 20),
        ("pms", 6, 8, 14),
        ("fms", 6, 6, 12),
        ("norm", 6, 6, 12),
        ("merge", 3, 6, 9),
    ]
    assert rows(call, "--space", "darts") == table
    without = [row for row in table if row[0] != "norm"]
    assert rows(call, "--space", "darts", "--simplify", "pms+fms+merge") == without
    for pointwise in ("apart", "dense"):
        assert rows(call, "--space", "darts", "--pointwise", pointwise) == table


def test_only_what_is_asked_for_is_done(call) -> None:
    assert rows(call, "--space", "darts", "--simplify", "none") == [("original", 6, 14, 20)]
    assert [row[0] for row in rows(call, "--space", "darts", "--simplify", "merge+fms")] == [
        "original",
        "fms",
        "merge",
    ]


def test_another_edge_can_be_named(call) -> None:
    assert rows(call, "--space", "darts", "--edge", "reduce/0->2")[0] == ("original", 8, 16, 24)
    assert rows(call, "--space", "darts", "--edge", "reduce/2->3")[-1] == ("merge", 3, 6, 9)
    done = call("explain", "--space", "darts", "--edge", "reduce/0->2")
    assert done.out.splitlines()[:2] == [
        "darts, edge reduce/0->2",
        "other edges, see --edge: normal/0->2",
    ]


def test_the_first_edge_of_stride_one_is_shown(call) -> None:
    done = call("explain", "--space", "spos")
    assert done.out.startswith("spos, edge block1/0->1\n")


def test_json_says_what_was_done_and_why_not_more(call) -> None:
    done = call("explain", "--space", "darts", "--json")
    stages = {row["stage"]: row for row in json.loads(done.out)}
    size = Size(channels=16, cells=8)
    edge = next(get_space("darts").supernet(size).choices())
    made = simplify_expr(edge, Shape(16, 32, 32), Simplification())
    assert stages["merge"]["expression"] == str(made)
    assert stages["original"]["notes"] == []
    fired = [note["text"] for note in stages["fms"]["notes"] if note["fired"]]
    assert fired == ["pw · bn · relu between, once for sep_conv_3x3 and sep_conv_5x5"]
    refused = [note for note in stages["pms"]["notes"] if not note["fired"]]
    assert refused[0] == {
        "rule": "pms",
        "fired": False,
        "among": "all candidates",
        "text": "no two candidates begin or end with the same module",
    }


@pytest.mark.parametrize("space", [*(name for name in SPACES if "toponas-" not in name), EXAMPLE])
def test_a_stage_that_changes_nothing_says_why(call, space: object) -> None:
    before, *stages = json.loads(call("explain", "--space", space, "--json").out)
    for stage in stages:
        fired = [note["text"] for note in stage["notes"] if note["fired"]]
        reasons = [note["text"] for note in stage["notes"] if not note["fired"]]
        assert bool(fired) == (stage["expression"] != before["expression"]), stage
        assert fired or reasons
        assert all(reasons)
        before = stage


@pytest.mark.parametrize(
    ("space", "pointwise", "stage", "reason"),
    [
        ("nasbench201", "shared", "fms", "fewer than two candidates have a module between two"),
        ("spos", "shared", "merge", "no candidate is a single convolution here"),
        ("darts", "shared", "pms", "no two candidates begin or end with the same module"),
        ("darts", "dense", "merge", "no candidate is a single convolution here"),
    ],
)
def test_the_reason_is_that_of_the_edge(
    call, space: str, pointwise: str, stage: str, reason: str
) -> None:
    done = call("explain", "--space", space, "--pointwise", pointwise, "--json")
    (found,) = (row for row in json.loads(done.out) if row["stage"] == stage)
    reasons = [note["text"] for note in found["notes"] if not note["fired"]]
    assert [text for text in reasons if text.startswith(reason)], reasons


def test_people_read_the_same(call) -> None:
    text = call("explain", "--space", "darts").out
    assert "merge: 9 modules, 3 conv and 6 other\n" in text
    assert "\n  - all candidates: no candidate is a single convolution here\n" in text
    assert ["fms", "6", "6", "12"] in [line.split() for line in text.splitlines()]
    assert max(map(len, text.splitlines())) <= 100


def test_the_documentation_shows_what_is_printed(call) -> None:
    page = (ROOT / "docs" / "simplification.md").read_text(encoding="utf-8")
    shown = page.partition("archwright explain --space darts\n")[2].split("```")[1]
    printed = call("explain", "--space", "darts").out
    assert [line.rstrip() for line in printed.split("\n") if line.strip()] == [
        line for line in shown.split("\n") if line.strip()
    ]


def test_a_users_space(call) -> None:
    found = rows(call, "--space", EXAMPLE)
    assert found[0] == ("original", 3, 4, 7)
    assert found[-1] == ("merge", 2, 3, 5)


def write(path: Path, body: str) -> Path:
    path.write_text(
        "import archwright as aw\n"
        "from archwright.graph import Conv, ReLU, chain\n"
        f"def odd(site):\n    {body}\n"
        "space = aw.Space(name='odd', candidates={'keep': aw.ops.skip, 'odd': odd},\n"
        "    skeleton=aw.Staged(aw.dense_cell(2)), null='')\n"
    )
    return path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--space", "dart"),
            "unknown space 'dart': did you mean 'darts'?",
        ),
        (
            ("--space", "darts", "--edge", "reduce/0-2"),
            "unknown edge 'reduce/0-2': did you mean 'reduce/0->2'? edges of darts that differ are "
            "normal/0->2, reduce/0->2",
        ),
        (
            ("--space", "nasbench201", "--edge", "x"),
            "unknown edge 'x': edges of nasbench201 that differ are cell/0->1",
        ),
        (
            ("--space", "nasbench201", "--pointwise", "dense"),
            "space nasbench201 has no separable convolution (a depthwise conv with a pointwise one "
            "right behind it) for --pointwise dense: use --pointwise shared",
        ),
    ],
)
def test_what_there_is_not_is_one_line(call, words: tuple[str, ...], line: str) -> None:
    done = call("explain", *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"archwright: error: {line}")
    assert done.err.count("\n") == 1


def test_a_stage_that_there_is_not(call) -> None:
    done = call("explain", "--space", "darts", "--simplify", "pms+norn")
    assert done.code == 2
    assert done.err == (
        "archwright: error: unknown simplification 'norn': did you mean 'norm'? "
        "known are all, fms, merge, none, norm, pms, joined by +\n"
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            "return chain(ReLU(), Conv(site.c_in + 1, site.c_out, 3))",
            "cell0: edge 0->1: cell/0->1, candidate odd: module 1 (conv3): "
            "conv3 takes 17 channels, got 16",
        ),
        (
            "return Conv(site.c_in, site.c_out, 3, 2)",
            "cell0: edge 0->1: the candidates of cell/0->1 disagree: "
            "16x32x32 by keep; 16x16x16 by odd",
        ),
        (
            "return 1 / 0",
            "cell0/0->1, candidate odd: ZeroDivisionError: division by zero",
        ),
        (
            "return Conv(site.c_in, site.c_out, 0)",
            "cell0/0->1, candidate odd: no convolution of 16 -> 16 channels, kernel 0, stride 1, "
            "dilation 1, groups 1: all must be at least 1",
        ),
        (
            "return chain(ReLU(), 3)",
            "cell0/0->1, candidate odd: 3 (int) is no expression: build it of primitives with "
            "chain, concat and choose",
        ),
    ],
)
def test_a_space_that_cannot_be_built(call, tmp_path: Path, body: str, line: str) -> None:
    done = call("explain", "--space", write(tmp_path / "odd.py", body))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"archwright: error: {line}\n"


def test_pytorch_is_not_imported() -> None:
    words = ["explain", "--space", "darts", "--json"]
    run = f"import sys; from archwright.cli import main; main({words!r})"
    code = f"{run}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


DECISION = Decision("d", ("first", "second"))
LONG = chain(*[ReLU()] * 8)


def test_expressions_are_broken_only_where_they_must() -> None:
    assert lines(Chain(), 20) == ["id"]
    choice = choose(DECISION, (LONG, Chain()))
    assert lines(choice, 200) == [str(choice)]
    assert lines(choice, len(str(LONG)) + 13) == ["Σ{", f"  first: {LONG}", "  second: id", "}"]
    assert lines(choice, 24) == [
        "Σ{",
        "  first:",
        "    relu · relu · relu",
        "    · relu · relu · relu",
        "    · relu · relu",
        "  second: id",
        "}",
    ]
    assert lines(concat(LONG, ReLU()), 20) == [
        "[",
        "  relu · relu · relu",
        "  · relu · relu",
        "  · relu · relu",
        "  · relu",
        "  |",
        "  relu",
        "]",
    ]


@pytest.mark.parametrize("width", [10, 30, 50, 80, 1000])
def test_no_module_is_lost(width: int) -> None:
    edge = next(get_space("darts").supernet(Size(channels=4, cells=3)).choices())
    for settings in (Simplification(pms=False, fms=False), Simplification()):
        made = simplify_expr(edge, Shape(4, 32, 32), settings)
        words = [w for line in lines(chain(ReLU(), made), width) for w in line.split()]
        plain = str(chain(ReLU(), made)).replace("{", "{ ").replace("}", " }").replace(";", "")
        kept = "".join(words).replace("{", "").replace("}", "").replace(";", "")
        assert kept == plain.replace(" ", "").replace("{", "").replace("}", "")
