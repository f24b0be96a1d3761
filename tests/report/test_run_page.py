"""The page that a search and the training of what it found share."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from archwright.errors import RunError
from archwright.report import result_rows, write_report
from archwright.report.budgets import BudgetCheck

from . import samples


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A search, and a training of the architecture that it found."""
    return samples.nb201_search(tmp_path / "search"), samples.training(tmp_path / "network")


def section(html: str, title: str) -> str:
    (found,) = re.findall(rf"<section>\s*<h2>{title}</h2>(.*?)</section>", html, re.DOTALL)
    return found


def classes(html: str) -> list[str]:
    svgs = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    return [str(ElementTree.fromstring(svg).get("class")) for svg in svgs]


def test_one_page_tells_both(pair: tuple[Path, Path]) -> None:
    search, training = pair
    path = write_report([search, training])
    assert path == search.parent / "report.html"
    first = path.read_bytes()
    assert write_report([training, search]).read_bytes() == first
    assert len(first) < 1_000_000
    html = first.decode()
    assert html.count("<svg") == len(classes(html))
    assert classes(section(html, "Weight of each candidate")) == ["chart panel"] * 6
    assert classes(section(html, "Architecture")) == ["cell"]
    assert len(classes(section(html, "Curves of the search"))) == 7
    assert "the half that alpha learns from" in section(html, "Curves of the search")
    assert len(classes(section(html, "Curves of the training"))) == 4
    rows = re.findall(r"<tr><th>([\w-]+)</th><td", section(html, "Result"))
    assert rows == ["found", "hand-made", "random"]


def test_the_head_says_what_came_of_it_and_what_repeats_it(pair: tuple[Path, Path]) -> None:
    html = write_report(pair).read_text()
    head = html.split("<header>")[1].split("</header>")[0].replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "<h1>nasbench201 on cifar10</h1>" in head
    assert "The network found reaches 94.10 % top-1" in head
    assert "The search took 2 h 6 min; with the weights of its supernet the network had" in head
    assert re.findall(r"<span>(Search with|Train with)</span><code>archwright (\w+)", head) == [
        ("Search with", "search"),
        ("Train with", "train"),
    ]


def test_settings_stand_in_groups_and_the_environment_once(pair: tuple[Path, Path]) -> None:
    html = write_report(pair).read_text()
    settings = section(html, "Settings")
    table, both, search = re.split(r"<h3>In both</h3>|<h3>Of the search</h3>", settings)
    assert re.findall(r"<tr><th>(\w+)</th><td", table) == ["epochs"]
    assert "<th>Search</th><th>Training</th>" in table
    assert "<dt>precision</dt><dd>bf16-mixed</dd>" in both
    assert re.findall(r"<dt>(\w+)</dt>", search) == ["method"]
    assert section(html, "Environment").count("<dt>torch</dt>") == 1


def test_a_training_that_goes_on_belongs_to_its_search(pair: tuple[Path, Path]) -> None:
    _, training = pair
    (training / "architecture.json").unlink()
    lines = (training / "log.jsonl").read_text().splitlines(keepends=True)
    (training / "log.jsonl").write_text("".join(lines[:5]))
    config = json.loads((training / "config.json").read_text())
    config["architecture"] = samples.NB201_TEXT
    (training / "config.json").write_text(json.dumps(config))
    html = write_report(pair).read_text()
    assert "The training has not finished: 4 of 200 epochs are in its log" in html
    assert classes(section(html, "Architecture")) == ["cell"]
    assert "<h2>Result</h2>" not in html
    assert result_rows(pair) == ()


def test_the_page_of_a_build_is_left_alone(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    held = pair[0].parent / "config.json"
    held.write_text(json.dumps({"schema": 1, "kind": "build"}))
    with pytest.raises(RunError, match="is a build and has a page of its own: give --out for this"):
        write_report(pair)
    assert not (held.parent / "report.html").exists()
    assert write_report(pair, tmp_path / "page.html").is_file()
    assert write_report(pair[:1]).parent == pair[0]


def test_other_runs_are_compared(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    search, training = pair
    other = samples.spos_training(tmp_path / "spos")
    fresh = samples.unfinished(tmp_path / "fresh", 3)
    for runs in ((search, other), (fresh, training), (search, search), (*pair, other)):
        assert write_report(runs).name == "comparison.html"
        assert result_rows(runs) == ()


def test_the_rows_of_the_result_table(pair: tuple[Path, Path]) -> None:
    search, training = pair
    rows = result_rows(pair)
    assert [(row.name, row.channels, row.score) for row in rows] == [
        ("found", 16, 94.1),
        ("hand-made", 18, 93.2),
        ("random", 20, 91.4),
    ]
    assert result_rows([training]) == rows
    assert result_rows([search]) == ()


def test_a_long_setting_is_shortened(tmp_path: Path) -> None:
    run = samples.nb201_search(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["classes"] = [f"bird {i}" for i in range(200)]
    (run / "config.json").write_text(json.dumps(config))
    html = write_report([run]).read_text()
    assert "[&#34;bird 0&#34;, &#34;bird 1&#34;, …, &#34;bird 199&#34;] (200)" in html


# with the pruning


@pytest.fixture
def three(pair: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path, Path]:
    """The pair, and a pruning of what was trained."""
    return (*pair, samples.pruning(tmp_path / "pruned"))


def test_one_page_tells_all_three(three: tuple[Path, Path, Path]) -> None:
    path = write_report(three)
    assert path == three[0].parent / "report.html"
    html = path.read_text().replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert write_report(three[::-1]).read_text().replace("\N{NARROW NO-BREAK SPACE}", " ") == html
    rows = re.findall(r"<tr><th>([\w-]+)</th><td", section(html, "Result"))
    assert rows == ["pruned", "found", "hand-made", "random"]
    assert [row.name for row in result_rows(three)] == rows
    assert "search, training and pruning" in html
    assert "pruned reaches 93.90 % top-1" in html
    assert "The search took 2 h 6 min" in html
    assert classes(section(html, "Deleted nodes")) == ["cell"]
    for title in ("search", "training", "pruning"):
        assert classes(section(html, f"Curves of the {title}"))
    settings = section(html, "Settings")
    assert "<th>Search</th><th>Training</th><th>Pruning</th>" in settings
    assert "<h3>In all</h3>" in settings


def test_a_pruning_of_something_else_is_compared(three: tuple[Path, Path, Path]) -> None:
    file = three[2] / "config.json"
    file.write_text(file.read_text().replace("nor_conv_3x3~0", "nor_conv_1x1~0"))
    assert write_report(three).name == "comparison.html"


def test_a_command_that_asked_for_all_stands_once(three: tuple[Path, Path, Path]) -> None:
    for run in three:
        content = json.loads((run / "config.json").read_text())
        content["command"] = "archwright build --out runs/a"
        (run / "config.json").write_text(json.dumps(content))
    html = write_report(three).read_text()
    assert html.count("<code>archwright build --out runs/a</code>") == 1
    assert "<span>Repeat with</span>" in html


def test_budgets_stand_beside_what_the_network_takes(three: tuple[Path, Path, Path]) -> None:
    judged = (
        BudgetCheck(cost="latency_ms", limit=5, predicted=4, value=5.25, measured=True),
        BudgetCheck(cost="macs", limit=2e8, predicted=1.5e8, value=1.2e8, measured=False),
    )
    page = write_report(three, budgets=judged, counted_at="channels 8, images 1x20x20")
    html = section(page.read_text(), "Budgets")
    assert "Counted and measured at channels 8, images 1x20x20." in html
    html = html.replace("\N{NARROW NO-BREAK SPACE}", " ")
    rows = re.findall(r"<tr><th>(.*?)</tr>", html)
    assert [re.sub("(<[^>]+>)+", "|", row) for row in rows[1:]] == [
        "latency, ms|5.000|4.000|5.250|measured|no|",
        "multiply-accumulates|200 M|150 M|120 M|counted or predicted|yes|",
    ]
    assert "<h2>Budgets</h2>" not in write_report(three).read_text()
