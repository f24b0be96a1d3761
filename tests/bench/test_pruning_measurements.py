"""Means over seeds, tables and pages of prunings."""

from dataclasses import replace
from pathlib import Path

import pytest

from archwright.bench.engine.results import require_same, write_results
from archwright.bench.pruning.measurements import PrunedRow, parse_rows, summarise_prunings
from archwright.errors import RunError
from docs_tables import pruning as pruning_pages
from docs_tables.pruning import behind_at

from .sample_prunings import results, row, rows


def test_rows_go_through_a_file_unchanged() -> None:
    assert parse_rows(Path("x.json"), results()) == rows()


def test_a_standing_is_a_way_and_a_target_over_its_seeds() -> None:
    found = summarise_prunings(rows())
    assert [(s.method, s.fusion, s.target, s.n) for s in found] == [
        ("unpruned", None, 1.0, 2),
        ("nodes", "sum", 0.7, 2),
        ("nodes", "linear+se", 0.7, 2),
        ("fresh", "linear+se", 0.7, 1),
        ("nodes", "sum", 0.5, 2),
    ]
    whole, _, _, fresh, half = found
    assert (half.macs, half.params) == (0.5, 0.5)
    assert (half.top1.mean, half.top1.deviation) == (57.0, pytest.approx(2**0.5))
    assert half.top1_pruned is not None
    assert half.top1_pruned.mean == 47.0
    assert (half.drop.mean, half.drop.deviation) == (3.0, pytest.approx(2**0.5))
    assert half.behind is not None  # seed by seed: 62 - 58 and 63 - 56
    assert (half.behind.mean, half.behind.deviation) == (5.5, pytest.approx(4.5**0.5))
    assert half.time[1].mean == pytest.approx(0.55)
    assert fresh.top1_pruned is None
    assert fresh.drop.deviation is None
    assert whole.behind is not None
    assert whole.behind.mean == 0
    assert fresh.time == {}


def test_without_an_unpruned_network_nothing_is_behind_it() -> None:
    (only,) = summarise_prunings([row("channels", 3, 0.5, 50.0)])
    assert only.behind is None
    mixed = summarise_prunings(
        [row("unpruned", 0, 1.0, 61.0), *(row("channels", s, 0.5, 5) for s in (0, 1))]
    )
    assert mixed[1].behind is None  # seed 1 has none


def test_fresh_networks_are_behind_the_whole_one_that_was_trained_in_one_go() -> None:
    *_, fresh, _ = summarise_prunings(rows())
    assert (fresh.method, fresh.behind) == ("fresh", None)
    found = summarise_prunings([*rows(), row("whole", 0, 1.0, 65.0), row("whole", 1, 1.0, 70.0)])
    behind = {(s.method, s.target): s.behind.mean for s in found if s.behind is not None}
    assert behind["fresh", 0.7] == 15.0  # 65 - 50, seed 1 has no fresh one
    assert behind["whole", 1.0] == 0.0
    assert behind["nodes", 0.5] == 5.5  # behind the unpruned one, as before


def timed(method: str, target: float, behind: float, ratio: float) -> PrunedRow:
    latency = {"batch": 1, "rounds": 9, "ms": ratio, "unpruned_ms": 1.0, "time_ratio": ratio}
    return row(method, 0, target, 60.0 - behind, latency=[latency])


def test_ways_are_compared_at_equal_latency() -> None:
    """Between targets in a straight line; what is slower than the time has no answer."""
    found = summarise_prunings(
        [
            *(timed("unpruned", 1.0, 0.0, 1.02), timed("channels-global", 0.7, 1.0, 0.8)),
            *(timed("channels-global", 0.5, 4.0, 0.6), timed("operations", 0.7, 3.0, 0.7)),
            timed("channels-global-unrounded", 0.7, 0.5, 2.2),
        ]
    )
    at = {time: behind_at(found, 1, time) for time in (0.9, 0.8, 0.7, 0.5)}
    channels, operations = ("channels-global", None), ("operations", None)
    assert at[0.9] == pytest.approx({channels: 0.5, operations: 1.0})
    assert at[0.8] == pytest.approx({channels: 1.0, operations: 2.0})
    assert at[0.7] == pytest.approx({channels: 2.5, operations: 3.0})
    assert at[0.5] == {}
    assert behind_at(found, 32, 0.9) == {}
    table = pruning_pages.equal_table(found)
    assert table is not None
    assert table.columns == ("method", "stands in", "at 0.9, 1", "at 0.8, 1", "at 0.7, 1")
    assert list(table.rows) == [
        ("channels-global", "\N{EN DASH}", "+0.50", "+1.00", "+2.50"),
        ("operations", "\N{EN DASH}", "+1.00", "+2.00", "+3.00"),
        ("channels-global-unrounded", *["\N{EN DASH}"] * 4),
    ]
    untimed = [row("unpruned", 0, 1.0, 60.0), row("operations", 0, 0.5, 50.0)]
    assert pruning_pages.equal_table(summarise_prunings(untimed)) is None


def test_the_table_says_what_was_lost() -> None:
    table = pruning_pages.pruning_table(summarise_prunings(rows()))
    assert table.columns[-1] == "time left, 1"
    shown = dict(zip(table.columns, table.rows[-1], strict=True))
    assert shown == {
        "method": "nodes",
        "stands in": "sum",
        "target": "0.5",
        "n": "2",
        "MACs left": "0.500",
        "parameters left": "0.500",
        "top-1 before tuning": "47.00 (1.41)",
        "top-1": "57.00 (1.41)",
        "points lost": "+3.00 (1.41)",
        "behind whole": "+5.50 (2.12)",
        "time left, 1": "0.55",
    }
    whole = dict(zip(table.columns, table.rows[0], strict=True))
    assert (whole["target"], whole["behind whole"]) == ("\N{EN DASH}", "\N{EN DASH}")
    assert whole["points lost"] == "-2.50 (0.71)"


def test_a_page_has_command_conditions_and_table(tmp_path: Path) -> None:
    write_results(tmp_path / "pruning-digits.json", results())
    write_results(tmp_path / "other.json", results())
    page = pruning_pages.pruning(tmp_path)
    assert page.startswith(
        "`archwright bench pruning darts-v2 --targets 0.7,0.5 --methods nodes,fresh --fusions "
        "sum,linear+se --seeds 0-1 --data digits`\n"
    )
    assert "1,000 MACs, 100 parameters, top-1 60.00 (0.00) %" in page
    assert "a machine, 1 thread; torch 2." in page
    assert "| nodes | sum | 0.5 | 2 | 0.500 |" in page
    assert "median over 9 rounds" in page
    assert "at equal latency" in page
    assert "Gates that decided" not in page
    assert page.count("archwright bench") == 1


def test_a_page_says_how_far_gates_went(tmp_path: Path) -> None:
    gates = [row("gates", s, 0.5, 50.0, gates=[0.4 - s / 10, 1.1 + s / 10]) for s in (0, 1)]
    write_results(tmp_path / "pruning.json", results(*rows(), *gates))
    page = pruning_pages.pruning(tmp_path)
    assert "Gates that decided which nodes go were between 0.30 and 1.20 when they did." in page


def test_a_page_of_nothing_is_empty(tmp_path: Path) -> None:
    assert pruning_pages.pruning(tmp_path) == ""


def test_other_rows_are_refused() -> None:
    other = replace(results(), rows=[{"variant": "naive"}])
    with pytest.raises(RunError, match=r"x.json holds no prunings: give another --out"):
        parse_rows(Path("x.json"), other)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (results(limit=65), r"x.json was measured with limit=65, not None: repeat its settings"),
        (replace(results(), threads=2), r"x.json was measured with threads=2, not 1: repeat"),
        (
            replace(results(), versions={"torch": "3"}),
            r"x.json was measured with torch='3', not '2': repeat its settings, or give another",
        ),
    ],
)
def test_what_was_measured_otherwise_is_refused(changed, message: str) -> None:
    with pytest.raises(RunError, match=message):
        require_same(Path("x.json"), changed, results())


def test_what_was_measured_alike_belongs_together() -> None:
    require_same(Path("x.json"), results(targets="0.3", seeds="7"), results(latency_rounds=3))
