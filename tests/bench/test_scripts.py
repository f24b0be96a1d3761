"""The scripts of the folder bench: the standard set, the figures and the tables."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.text import Annotation

from archwright.bench.engine.results import Results, write_results
from archwright.bench.nasbench201.searches import read_searches
from archwright.bench.supernet.config import SupernetConfig
from archwright.bench.supernet.measurements import Measurement, measurement_rows
from archwright.cli.commands.bench import command as bench
from archwright.cli.parse import parse
from archwright.spaces import SPACES
from archwright.tables import nasbench201
from docs_tables.supernet import result_path

from . import sample_searches

FOLDER = Path(__file__).parents[2] / "bench"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


supernets, tables, figures = map(script, ("supernets", "tables", "figures"))


BOTH = "none/fused,all,all/naive"


def some(
    space: str, simplify: str, number: int = 8, *, timed: bool = True, **settings: Any
) -> Results:
    """Invented results."""
    config = SupernetConfig(space=space, simplify=simplify, image_size=32, **settings)
    more = {"discrete": "a | network", "candidates": number, "cpu": "a CPU"}
    measured = [
        Measurement(
            variant=variant,
            memory_format="channels_last" if timed else None,
            saved_bytes=int(1e6 * (position or 9) * number),
            peak_bytes=None if position else 5_000_000,
            peak_missing="",
            seconds=tuple(number * (position + 1) for number in (0.1, 0.2, 0.4) if timed),
            aten_ops_forward=10,
            aten_ops=1234,
            launches=None,
            macs=43_400_000,
            params=1_930_618,
        )
        for position, variant in enumerate(config.variants)
    ]
    return Results(
        command=config.command(),
        settings={**config.settings(), **more},
        versions={"torch": "2"},
        hardware="2 of 2 CPU threads",
        threads=config.threads or 2,
        rows=measurement_rows(measured),
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name in ("nasbench201-b64-t2", "darts-b16-t2"):
        one = some(name.partition("-")[0], "none,pms,pms+fms,all")
        write_results(result_path(folder, name), one)
    for number in (16, 4):
        one = some(f"toponas-{number}", BOTH, number)
        write_results(result_path(folder, f"candidates-{number:02d}"), one)
    return folder


@pytest.mark.parametrize("name", supernets.STANDARD)
def test_the_standard_set_can_be_run(name: str, tmp_path: Path) -> None:
    words = supernets.command(name, ["--device", "cpu"], tmp_path)
    assert words[3:5] == ["bench", "supernet"]
    config = parse(bench.parts["supernet"], words[5:]).config
    assert config.out == result_path(tmp_path, name)
    assert config.device == "cpu"
    assert config.space in SPACES
    rows = {(variant.simplify, variant.lowering) for variant in config.variants}
    both = {(stages, how) for stages in ("none", "all") for how in ("naive", "fused")}
    assert both <= rows  # what is TopoNAS, and what is the lowering
    assert (("none", None) in rows) == (config.space == "darts")
    assert {(s, "naive") for s, how in rows if how == "fused"} <= rows


def test_what_was_measured_is_left_as_it_is(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(words: list[str], **how: Any) -> Any:
        ran.append(words)
        return subprocess.CompletedProcess(words, returncode=3 * ("toponas-10" in words))

    monkeypatch.setattr(subprocess, "run", run)
    chosen = ["darts-b16-t2", "candidates-13", "candidates-10", "candidates-07"]
    code = supernets.main([*chosen, "--repeats", "3", "--results", str(results)])
    assert code == 3  # stops at the first that fails
    assert [words[words.index("--space") + 1] for words in ran] == ["toponas-7", "toponas-10"]
    ran.clear()
    assert supernets.main(["darts-b16-t2", "--results", str(results)]) == 0
    assert len(ran) == 1  # five steps are wanted, three were timed
    assert supernets.main(["darts-b16-t2", "--repeats", "0", "--results", str(results)]) == 0
    assert len(ran) == 1


def test_all_commands_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert supernets.main(["--list", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.partition(": archwright bench supernet --space ")[0] for line in lines]
    assert names == list(supernets.STANDARD)
    assert not list(tmp_path.iterdir())


def test_what_is_not_timed_yet_is_not_drawn_and_not_told(tmp_path: Path) -> None:
    counted = some("darts", "all,none/fused", timed=False)
    write_results(result_path(tmp_path, "darts-b16-t2"), counted)
    text = tables.fill(PAGE, tmp_path)
    assert "not timed yet; batch 16" in text
    nothing = " | ".join(["\N{EN DASH}"] * 4)
    assert f"| all/fused | 16.0 | 0.22 | 2.00 | {nothing} | 1,234 |" in text
    with pytest.raises(figures.RunError, match="no results in"):
        figures.draw(tmp_path, tmp_path)


def test_an_unknown_bench_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        supernets.main(["dart"])
    assert "unknown bench 'dart': known are darts-b16-t2, darts-b64-t2" in capsys.readouterr().err


def test_figures_are_the_same_each_time(results: Path, tmp_path: Path) -> None:
    first = figures.draw(results, tmp_path / "a")
    assert [path.name for path in first] == ["supernet-cost.svg", "candidates.svg"]
    for one, other in zip(first, figures.draw(results, tmp_path / "b"), strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert b"<dc:date>" not in one.read_bytes()


def test_figures_without_results_say_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert figures.main(["--results", str(tmp_path), "--images", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error == f"figures: error: no results in {tmp_path}: run bench/supernets.py\n"


PAGE = "\n".join(f"{n}\n<!-- begin:{n} -->\nold\n<!-- end:{n} -->" for n in tables.BLOCKS)


def test_tables_are_filled_in_between_the_markers(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    words = ["--results", str(results), "--page", str(page)]
    assert tables.main([*words, "--check"]) == 1
    assert page.read_text() == PAGE
    assert tables.main(words) == 0
    assert tables.main([*words, "--check"]) == 0
    text = page.read_text()
    assert "old" not in text
    assert "`archwright bench supernet --space darts " in text
    assert "3 timed steps of each row, in turns; batch 16" in text
    assert "seed 0; a CPU; 2 of 2 CPU threads, 2 threads; torch 2" in text
    assert (
        "| discrete (channels last) | 72.0 | 1.00 | \N{EN DASH} | 5 | "
        "200 (150 to 300) | 1.00 | 1.00 |" in text
    )
    assert (
        "| none/naive (channels last) | 8.0 | 0.11 | 1.00 | \N{EN DASH} | 400 (300 to 600) |"
        in text
    )
    assert "| pms/fused (channels last) | 24.0 |" in text
    assert "| 4 | 4 | 8 | 16 | 12 | 400 | 600 | 1,000 | 800 |" in text
    assert text.index("\n| 4 |") < text.index("\n| 16 |")
    assert "| original DARTS | 2,009 | 10.34 | 14 | 8,168 |" in text
    result_path(results, "darts-b16-t2").unlink()
    assert tables.main([*words, "--check"]) == 1


def some_searches(folder: Path) -> None:
    """Invented searches of two methods and of random ones."""
    rows = [
        sample_searches.search(
            *(who, seed, architecture), saved_bytes=saved, seconds=seconds, cpu_seconds=seconds
        )
        for seed, architecture in ((0, sample_searches.CONV3), (1, sample_searches.CONV1))
        for who, saved, seconds in (
            ("darts none", 4_000_000, 4.0),
            ("darts pms+fms", 2_000_000, 3.0),
            ("darts all", 1_000_000, 2.0),
            ("random-ws all", 500_000, 1.0),
            ("random none", None, 0.1),
        )
    ]
    write_results(folder / "searches-proxy.json", sample_searches.results(*rows))


def test_searches_fill_their_tables_and_a_figure(tmp_path: Path) -> None:
    results, images = tmp_path / "results", tmp_path / "images"
    some_searches(results)
    page = tables.fill(PAGE, results)
    main = page.partition("<!-- begin:nasbench201 -->")[2].partition("<!-- end:")[0]
    stages = page.partition("<!-- begin:ablation -->")[2].partition("<!-- end:")[0]
    assert (
        "- `archwright bench nasbench201 --methods darts --simplify none,all --seeds 0-1 " in main
    )
    assert "- `archwright bench nasbench201 --methods random-ws --simplify all --seeds 0-1 " in main
    assert "| darts | none | 2 | 4.0 | 4 | 4 |" in main
    assert "| darts | all | CIFAR-10 | 2 | +0.00 |" in main
    assert "pms+fms" not in main.partition("| method")[2]
    assert "| darts | pms+fms | 2 | 2.0 | 3 | 3 |" in stages
    assert "random" not in stages.partition("| method")[2]
    method_page = "<!-- begin:methods -->\n<!-- end:methods -->"
    made = tables.fill(method_page, results, tables.PAGES[tables.DOCS / "which-method.md"])
    assert "| darts | all | 2 | 1.0 | 2 | 2 |" in made
    assert "| random | \N{EN DASH} | 2 |" in made
    assert "| darts | none |" not in made
    (drawn,) = figures.draw(results, images)
    assert drawn == images / "search-cost.svg"
    first = drawn.read_bytes()
    figures.draw(results, images)
    assert drawn.read_bytes() == first


def test_an_arrow_goes_from_each_method_to_it_simplified(tmp_path: Path) -> None:
    some_searches(tmp_path)
    figure = figures.searches([read_searches(tmp_path / "searches-proxy.json")])
    (axes,) = figure.axes
    arrows = [text for text in axes.texts if isinstance(text, Annotation)]
    assert [(a.xyann, a.xy) for a in arrows] == [
        ((3.0, pytest.approx(mean_accuracy())), (1.0, pytest.approx(mean_accuracy())))
    ]
    points = {line.get_label(): float(line.get_xdata()[0]) for line in axes.lines}
    assert points["darts"] == 1.0  # its own memory and time are the least of those that learn
    assert points["random-ws"] == 0.5
    figures.plt.close("all")


def mean_accuracy() -> float:
    looked_up = (
        nasbench201.lookup(a).imagenet16_test
        for a in (sample_searches.CONV3, sample_searches.CONV1)
    )
    return sum(looked_up) / 2


def test_without_results_a_table_is_empty(tmp_path: Path) -> None:
    filled = tables.fill(PAGE, tmp_path)
    assert "<!-- begin:supernets -->\n<!-- end:supernets -->" in filled
    assert "<!-- begin:candidates -->\n<!-- end:candidates -->" in filled


def test_results_of_another_version_are_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = result_path(results, "darts-b16-t2")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert tables.main(["--results", str(results), "--page", str(page)]) == 1
    assert figures.main(["--results", str(results), "--images", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("schema 99, this version reads 1: run the bench again\n") == 2
    assert error.count("\n") == 2


@pytest.mark.parametrize("page", ["", PAGE.replace("<!-- end:supernets -->", ""), PAGE + PAGE])
def test_a_page_without_its_markers_is_refused(tmp_path: Path, page: str) -> None:
    with pytest.raises(tables.RunError, match="the page needs <!-- begin:supernets -->"):
        tables.fill(page, tmp_path)


def test_a_missing_row_is_named() -> None:
    with pytest.raises(
        figures.RunError, match="no row all/naive in the results of `archwright bench"
    ):
        figures.candidates([some("toponas-5", BOTH, 5), some("toponas-6", "all", 6)])
    figures.plt.close("all")


def test_the_page_in_the_documentation_is_up_to_date() -> None:
    assert tables.main(["--check"]) == 0
