"""The pages: what they show, what they must never hold, and the line for a run that is broken."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from archwright.errors import RunError
from archwright.report import write_report

from . import samples

SAMPLES: dict[str, Callable[[Path], Path]] = {
    "nb201": samples.nb201_search,
    "darts": samples.darts_search,
    "spos": samples.spos_training,
    "training": samples.training,
    "killed": lambda folder: samples.unfinished(folder, 12),
    "one-epoch": lambda folder: samples.unfinished(folder, 1),
    "fresh": lambda folder: samples.unfinished(folder, 0),
}


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def page(*runs: Path) -> str:
    return write_report(runs).read_text()


def marked(svg: ElementTree.Element, attribute: str) -> list[str]:
    return sorted(v for e in svg.iter() if (v := e.get(attribute)) is not None)


def texts(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.split("</style>")[1]))


def log_of(run: Path) -> Path:
    return run / "log.jsonl"


def append(run: Path, record: object) -> None:
    with log_of(run).open("a") as file:
        file.write(json.dumps(record) + "\n")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_is_self_contained_small_and_the_same_twice(tmp_path: Path, name: str) -> None:
    run = SAMPLES[name](tmp_path / name)
    path = write_report([run])
    first = path.read_bytes()
    assert path == run / "report.html"
    assert len(first) < 200_000
    assert write_report([run]).read_bytes() == first
    html = first.decode()
    assert not re.search(r"https?://|<script|@import|url\(|\ssrc=", html)
    assert str(tmp_path) not in html
    assert html.count("<svg") == len(drawings(html))


@pytest.mark.parametrize("name", ["nb201", "darts"])
def test_every_node_and_edge_is_drawn_once(tmp_path: Path, name: str) -> None:
    run = SAMPLES[name](tmp_path / name)
    cells = json.loads((run / "architecture.json").read_text())["cells"]
    drawn = [svg for svg in drawings(page(run)) if svg.get("class") == "cell"]
    assert len(drawn) == len(cells)
    for svg, cell in zip(drawn, cells.values(), strict=True):
        inputs = cell["inputs"]
        edges = [(op, s, inputs + i) for i, node in enumerate(cell["nodes"]) for op, s in node]
        assert marked(svg, "data-edge") == sorted(f"{s}->{t}" for _, s, t in edges)
        names = [
            t.text for g in svg.iter("g") if "op " in g.get("class", "") for t in g.iter("text")
        ]
        assert sorted(map(str, names)) == sorted(op for op, _, _ in edges)
        assert len(marked(svg, "data-node")) == inputs + len(cell["nodes"])
        concat = [t for t in svg.iter("text") if t.text == "concat"]
        assert len(concat) == (len(cell["output"]) > 1)


def test_names_of_edges_do_not_overlap(tmp_path: Path) -> None:
    for name in ("nb201", "darts"):
        html = page(SAMPLES[name](tmp_path / name))
        for svg in (s for s in drawings(html) if s.get("class") == "cell"):
            boxes = [
                [float(g[0].get(key, "")) for key in ("x", "y", "width", "height")]
                for g in svg.iter("g")
                if g.get("class", "").startswith(("op ", "node "))
            ]
            for i, (x0, y0, w0, h0) in enumerate(boxes):
                for x1, y1, w1, h1 in boxes[:i]:
                    assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0


def test_a_chain_is_a_strip_of_blocks(tmp_path: Path) -> None:
    svgs = drawings(page(samples.spos_training(tmp_path / "spos")))
    (strip,) = (svg for svg in svgs if svg.get("class") == "cell strip")
    assert len(marked(strip, "data-edge")) == 20


def test_a_panel_for_each_decision_with_a_line_for_each_candidate(tmp_path: Path) -> None:
    html = page(samples.darts_search(tmp_path / "darts"))
    panels = [svg for svg in drawings(html) if svg.get("class") == "chart panel"]
    assert len(panels) == 28
    colours = [[e.get("style") for e in svg.iter("path")] for svg in panels]
    assert all(len(set(lines)) == 8 for lines in colours)


def test_signs_of_collapse_are_drawn_as_far_as_they_were_measured(tmp_path: Path) -> None:
    run = samples.darts_search(tmp_path / "darts")
    signs = {
        "Entropy of the decisions": 1,
        "Skip connections": 2,  # a line for each kind of cell
        "Discretisation gap": 1,
        "Curvature": 1,
    }
    charts = {
        (svg.findtext("title") or "").partition(",")[0]: svg
        for svg in drawings(page(run))
        if svg.get("class") == "chart"
    }
    for title, lines in signs.items():
        assert len(list(charts[title].iter("path"))) == lines, title
    records = [json.loads(line) for line in log_of(run).read_text().splitlines()]
    for record in records:
        for name in ("gap", "eigenvalue", "skips"):
            record.pop(name, None)
    log_of(run).write_text("".join(json.dumps(record) + "\n" for record in records))
    html = page(run)
    assert "Entropy of the decisions" in html
    for title in list(signs)[1:]:
        assert title not in html


def test_a_search_that_was_stopped_says_so(tmp_path: Path) -> None:
    run = samples.nb201_search(tmp_path / "a")
    assert "stopped early" not in texts(page(run))
    append(run, {"event": "stop", "rule": "skips", "taken": 29})
    text = texts(page(run))
    assert "It was stopped early (rule skips), with alpha as after epoch 30." in text


def test_the_verdict_says_what_was_found_and_what_repeats_it(tmp_path: Path) -> None:
    text = texts(page(samples.nb201_search(tmp_path / "a")))
    assert "The search found a network with 93.57 % top-1 at 1.07 M parameters" in text
    assert "archwright search --space nasbench201" in text
    assert "|nor_conv_3x3~0|+" in text
    assert "2.11.0" in text


def test_a_training_stands_beside_what_it_is_compared_with(tmp_path: Path) -> None:
    html = page(samples.training(tmp_path / "t"))
    assert "0.90 above hand-made and 2.70 above random" in texts(html)
    assert html.count('class="value best"') == 1
    assert "archwright train &#39;my runs/a&#39;" in html


def test_a_network_that_is_not_the_best_is_not_called_so(tmp_path: Path) -> None:
    run = samples.training(tmp_path / "t")
    rows = [{"name": "found", "top1": 90.0}, {"name": "hand-made", "top1": 91.5}]
    append(run, {"event": "result", "rows": rows})
    assert "1.50 below hand-made" in texts(page(run))


@pytest.mark.parametrize(("epochs", "words"), [(12, "12 of 50 epochs"), (0, "no epoch is in its")])
def test_an_unfinished_run_says_so(tmp_path: Path, epochs: int, words: str) -> None:
    text = texts(page(samples.unfinished(tmp_path / "u", epochs)))
    assert f"This run has not finished: {words}" in text
    assert "No architecture has been written yet" in text


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    run = samples.unfinished(tmp_path / "u", 3)
    whole = page(run)
    with log_of(run).open("a") as file:
        file.write('{"event": "epo')
    assert page(run) == whole


def test_an_epoch_that_was_run_again_counts_once(tmp_path: Path) -> None:
    run = samples.unfinished(tmp_path / "u", 3)
    append(run, {"event": "epoch", "epoch": 2, "valid_top1": 12.25})
    append(run, {"event": "something new", "epoch": "any"})
    text = texts(page(run))
    assert "3 of 50 epochs" in text
    assert "12.25" in text


def test_numbers_that_are_not_finite_are_not_drawn(tmp_path: Path) -> None:
    run = samples.unfinished(tmp_path / "u", 3)
    append(
        run, {"event": "epoch", "epoch": 3, "train_loss": float("nan"), "valid_loss": float("inf")}
    )
    html = page(run)
    assert not re.search(r'"[^"<>]*\b(nan|inf)\b[^"<>]*"', html)


def test_whatever_a_run_says_is_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>\x00&'
    architecture = samples.nb201(evil)
    architecture["cells"] = {evil: samples.cell(1, [[(evil, 0)], [(evil, 1)]], [2])}
    decisions = {f"cell/{evil}->1": [evil, "none"]}
    records = [
        samples.start("search", decisions),
        *samples.search_epochs(decisions, 2),
        samples.search_result(evil),
    ]
    config = samples.config("search", evil, method=evil, command=evil, **{evil: [evil]})
    run = samples.write_run(tmp_path / "e", config, records, architecture)
    for html in (page(run), page(run, run)):
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "\x00" not in html
        assert drawings(html)


def test_several_runs_share_a_page(tmp_path: Path) -> None:
    runs = [SAMPLES[name](tmp_path / name) for name in SAMPLES]
    path = write_report(runs)
    assert path == tmp_path / "comparison.html"
    html, text = path.read_text(), texts(path.read_text())
    assert write_report(runs, tmp_path / "b" / "c.html").read_text() == html
    assert all(name in text for name in SAMPLES)
    assert "Best top-1: darts, 97.24 %. 3 of 7 runs not finished." in text
    assert len([s for s in drawings(html) if str(s.get("class")).startswith("cell")]) == 5


def test_settings_that_differ_stand_apart(tmp_path: Path) -> None:
    runs = [samples.nb201_search(tmp_path / str(i), seed=i) for i in range(2)]
    html = page(*runs)
    changed_settings = html.split("Settings that differ")[1].split("Settings in common")[0]
    assert re.findall(r"<tr><th>(\w+)</th><td", changed_settings) == ["seed"]
    assert '<td class="odd">1</td>' in changed_settings


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [samples.nb201_search(tmp_path / part / "run") for part in "ab"]
    text = texts(page(*runs))
    assert "run (2)" in text


def broken(name: str, content: str | None) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        path = run / name
        if content is None:
            path.unlink()
        else:
            path.write_text(content)

    return spoil


def cell_text(nodes: object, output: object) -> str:
    cell = {"inputs": 1, "nodes": nodes, "output": output}
    return json.dumps({"schema": 1, "space": "s", "text": "t", "cells": {"cell": cell}})


EPOCH = '{"event": "start", "decisions": {"d": ["a", "b"]}}\n{"event": "epoch", '


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken("config.json", None), "is no run folder: it has no config.json"),
        (broken("config.json", "{"), r"config\.json is damaged: it is no JSON"),
        (broken("config.json", "[]"), r"config\.json is of another version"),
        (
            broken("config.json", '{"schema": 1}'),
            r"config\.json does not say its kind: make the run again",
        ),
        (broken("config.json", '{"schema": 1, "kind": "dance"}'), "kind 'dance' is not one of"),
        (broken("config.json", '{"schema": 1, "kind": "build"}'), "is a build, whose page is "),
        (
            broken("config.json", '{"schema": 1, "classes": 3}'),
            "damaged: classes: expected array, got int",
        ),
        (broken("config.json", '{"schema": 2}'), "of another version: this one reads schema 1"),
        (broken("log.jsonl", None), r"log\.jsonl is missing: the run was never started"),
        (
            broken("log.jsonl", "{}\n{oops\n{}\n"),
            r"log\.jsonl line 2 is not JSON .*delete that line",
        ),
        (
            broken("log.jsonl", "7\n"),
            r"log\.jsonl line 1: expected object, got int: restore it, or run again",
        ),
        (broken("log.jsonl", EPOCH + '"epoch": "x"}'), "line 2: epoch: expected int, got str"),
        (
            broken("log.jsonl", EPOCH + '"epoch": 0, "lr": "x"}'),
            "line 2: lr: expected float | null, got str",
        ),
        (
            broken("log.jsonl", EPOCH + '"epoch": 0, "alpha": {"d": [1.0]}}'),
            "line 2: alpha of d has 1 weights for 2 candidates",
        ),
        (broken("architecture.json", "nonsense"), r"architecture\.json cannot be read as JSON"),
        (
            broken("architecture.json", cell_text([[["skip", 1]]], [1])),
            r"cells\.cell: edge skip 1->1 does not come from an earlier node",
        ),
        (
            broken("architecture.json", cell_text([[["skip", 0]]], [2])),
            r"cells\.cell: output \[2\] is not among the 2 nodes",
        ),
        (
            broken("architecture.json", cell_text([["skip"]], [1])),
            r"cells\[\.\.\.\]\.nodes\[0\]\[0\]: expected array, got str",
        ),
    ],
)
def test_a_broken_file_is_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    run = samples.nb201_search(tmp_path / "run")
    spoil(run)
    with pytest.raises(RunError, match=message) as caught:
        write_report([run])
    assert "\n" not in str(caught.value)
    assert not (run / "report.html").exists()


def test_no_run_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="at least one run folder"):
        write_report([])
    with pytest.raises(RunError, match="there is no such run folder"):
        write_report([tmp_path / "absent"])


def test_a_report_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys, archwright.report; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_exported_files_stand_in_a_table_each_once(tmp_path: Path) -> None:
    folder = samples.training(tmp_path / "run")
    assert "<h2>Exported</h2>" not in write_report([folder]).read_text()
    shared = {"event": "export", "format": "onnx", "runtime": "onnxruntime 1.23", "threads": 1}
    records = [
        {"file": "a.onnx", "weights": "float32", "bytes": 9, "latency_ms": 3.0},
        {"file": "b.onnx", "weights": "int8", "bytes": 12345, "latency_ms": 0.1, "top1": 93.9},
        {"file": "a.onnx", "weights": "float32", "bytes": 40, "latency_ms": 1.25},
    ]
    with (folder / "log.jsonl").open("a") as log:
        log.writelines(json.dumps({**shared, "batch_size": 1, **r}) + "\n" for r in records)
    (table,) = re.findall(
        r"<h2>Exported</h2>(.*?)</section>", write_report([folder]).read_text(), re.DOTALL
    )
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[2:]]
    told = "onnxruntime 1.23; 1 at a time, threads: 1"
    size = "12\N{NARROW NO-BREAK SPACE}345"
    assert cells == [
        ["a.onnx", "onnx, float32", "40", "\N{EN DASH}", "1.250", "\N{EN DASH}", told],
        ["b.onnx", "onnx, int8", size, "93.90", "0.100", "\N{EN DASH}", told],
    ]
