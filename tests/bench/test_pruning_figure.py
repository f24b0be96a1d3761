"""The figure of prunings, and their place in the documentation."""

from pathlib import Path

import pytest

from archwright.bench.engine.results import write_results
from archwright.bench.pruning.config import FRESH, METHODS
from docs_tables import markdown
from docs_tables.pruning import pruning

from .sample_prunings import results, row
from .test_scripts import figures


def test_a_figure_for_each_file_the_same_each_time(tmp_path: Path) -> None:
    write_results(tmp_path / "pruning.json", results())
    write_results(tmp_path / "pruning-other.json", results(row("channels", 0, 0.5, 50.0)))
    drawn = figures.draw(tmp_path, tmp_path / "a")
    assert [path.name for path in drawn] == ["pruning-other.svg", "pruning.svg"]
    for one, other in zip(drawn, figures.draw(tmp_path, tmp_path / "b"), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_every_way_has_a_line_where_it_was_measured() -> None:
    ways = [row(method, 0, 0.5, 50.0, fusion=fusion) for method, fusion in figures._WAYS]
    figure = figures.pruning(figures.summarise_prunings([row("unpruned", 0, 1.0, 60.0), *ways]))
    before, after = figure.axes
    assert len(after.containers) == len(ways)
    assert {method for method, _ in figures._WAYS} == set(METHODS)
    assert len(before.containers) == len(ways) - len(
        FRESH
    )  # fresh networks are not there before tuning
    assert [text.get_text() for text in figure.legends[0].get_texts()][:3] == [
        *("unpruned", "nodes", "nodes, linear"),
    ]
    figures.plt.close(figure)


def test_pages_show_the_figure_that_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path / "pruning.json", results())
    monkeypatch.setattr(markdown, "DOCS", tmp_path)
    assert pruning(tmp_path).startswith("`archwright bench pruning")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "pruning.svg").write_text("")
    assert pruning(tmp_path).startswith("![Accuracy against multiply-accumulates")
