"""Pages of a task other than classification: its metrics stand in every place of top-1."""

import json
import re
from pathlib import Path

import pytest

from archwright import tasks
from archwright.report import result_rows, write_report
from archwright.report.reading.read_run import load_run

from ..tasks.labelling import PixelLabelling
from . import samples


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training of two networks that label pixels."""
    place = f"{PixelLabelling.__module__}:{PixelLabelling.__name__}"
    monkeypatch.setitem(tasks.TASKS, PixelLabelling.name, place)
    run = samples.training(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "task": PixelLabelling.name}))
    log = (run / "log.jsonl").read_text()
    (run / "log.jsonl").write_text(log.replace("top1", "miou").replace("top5", "pixels"))
    return run


def test_a_page_names_the_metrics_of_its_task(labelled: Path) -> None:
    html = write_report([labelled]).read_text().replace("\N{NARROW NO-BREAK SPACE}", " ")
    body = html.split("</style>")[1]
    assert "The network found reaches 94.10 % mean IoU" in body
    assert re.findall(r'<th class="n[^"]*">(mean IoU, %|pixels, %)</th>', body) == [
        "mean IoU, %",
        "pixels, %",
    ]
    assert "<title>Mean IoU, mean IoU, %" in body
    assert not re.search(r"top-?[15]|cross-entropy", body, re.IGNORECASE)


def test_its_scores_are_read_by_key(labelled: Path) -> None:
    assert [metric.key for metric in load_run(labelled).metrics] == ["miou", "pixels"]
    (found, *_) = result_rows([labelled])
    assert (found.score, dict(found.scores)) == (94.1, {"miou": 94.1, "pixels": 99.7})


def test_runs_of_different_tasks_are_not_ranked(labelled: Path, tmp_path: Path) -> None:
    other = samples.training(tmp_path / "other")
    html = write_report([labelled, other]).read_text()
    assert "The runs have different metrics." in html
    assert 'class="value best"' not in html
    assert '<th class="n score">score</th>' in html
