"""The rules that stop a search, and what a search that stops leaves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archwright.engine.runs.folder import RunFolder
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.loop import run as search_run
from archwright.nas.loop.search import search
from archwright.nas.monitor import collapse as watch_module
from archwright.nas.monitor.stopping import EpochRecord, StopRule, selected_epoch
from archwright.report.reading.read_run import load_run
from archwright.spaces import Size, get_space, write_architecture
from archwright.spaces.discretise import discretise

from ...engine.helpers import tiny_search


def history(
    eigenvalues: Sequence[float | None] | None = None,
    skips: Sequence[int] | None = None,
    rankings: Sequence[str] | None = None,
    first: int = 0,
) -> list[EpochRecord]:
    count = len(eigenvalues or skips or rankings or [])
    return [
        EpochRecord(
            epoch=first + i,
            weights={},
            ranking={"edge": tuple(rankings[i]) if rankings else ()},
            skips=skips[i] if skips else 0,
            eigenvalue=eigenvalues[i] if eigenvalues else None,
        )
        for i in range(count)
    ]


def test_without_a_rule_nothing_stops() -> None:
    assert (
        selected_epoch("none", history(skips=[9] * 20, eigenvalues=[2.0**i for i in range(20)]))
        is None
    )


@pytest.mark.parametrize("rule", ["skips", "stable", "eigenvalue"])
def test_nothing_seen_is_nothing_to_stop_at(rule: StopRule) -> None:
    assert selected_epoch(rule, []) is None


def test_two_skips_stop_a_search_at_what_was_before() -> None:
    assert selected_epoch("skips", history(skips=[0, 1, 1])) is None
    assert selected_epoch("skips", history(skips=[0, 1, 2], first=15)) == 16
    assert selected_epoch("skips", history(skips=[3], first=15)) == 15


def test_ranks_that_stay_for_ten_epochs_stop_a_search() -> None:
    assert selected_epoch("stable", history(rankings=["ba"] + 10 * ["ab"])) is None
    assert selected_epoch("stable", history(rankings=["ba"] + 11 * ["ab"])) == 11
    assert selected_epoch("stable", history(rankings=5 * ["ab"] + ["ba"] + 8 * ["ab"])) is None


def test_an_eigenvalue_that_rises_stops_a_search() -> None:
    # means of five: 1 and then 4 / 3 + a little, the ratio of the paper being 0.75
    just, below = 4 / 3 + 0.001, 4 / 3 - 0.001
    assert selected_epoch("eigenvalue", history(5 * [1.0] + 5 * [below])) is None
    assert selected_epoch("eigenvalue", history(5 * [1.0] + 5 * [just])) == 4
    assert selected_epoch("eigenvalue", history([9.0] + 5 * [1.0] + 5 * [just], first=3)) == 8
    assert selected_epoch("eigenvalue", history(5 * [1.0] + 4 * [just])) is None
    # averages, not single values
    assert selected_epoch("eigenvalue", history(9 * [1.0] + [2.6])) is None
    assert selected_epoch("eigenvalue", history(9 * [1.0] + [2.7])) == 4


def test_what_was_not_measured_or_is_not_convex_stops_nothing() -> None:
    assert selected_epoch("eigenvalue", history([1.0, None, *(3 * [1.0]), *(5 * [9.0])])) is None
    assert selected_epoch("eigenvalue", history(5 * [-1.0] + 5 * [9.0])) is None
    assert selected_epoch("eigenvalue", history(5 * [1.0] + 5 * [-9.0])) is None


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The configuration of a search that stops after its third epoch of five."""

    def skips(architecture: object, roles: object) -> int:
        counts.append(1)
        return 2 if len(counts) % 5 == 3 else 0

    counts: list[int] = []
    monkeypatch.setattr(watch_module, "max_skips", skips)
    return tiny_search(tmp_path / "out", epochs=5, alpha_lr=0.1, stop_early="skips")


def test_a_search_that_stops_takes_the_alpha_of_before(stopped: Any) -> None:
    result = search(stopped)
    records = RunFolder(stopped.out).log.records()
    assert [r["event"] for r in records] == ["start", "epoch", "epoch", "epoch", "stop", "result"]
    epochs = records[1:4]
    stop = records[4]
    assert stop == {"event": "stop", "rule": "skips", "taken": 1}
    space, size = get_space("nasbench201"), Size(channels=4, cells=1)
    found = discretise(space, size, epochs[1]["alpha"], null=False)
    assert result.architecture == found
    assert records[5]["architecture"] == write_architecture(found)
    assert epochs[1]["architecture"] != epochs[2]["architecture"]
    assert load_run(stopped.out).result is not None


@pytest.mark.parametrize("place", ["save_derived_network", "graph_cost"])
def test_a_search_killed_after_it_stopped_stays_stopped(
    stopped: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(search_run, place, lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(stopped)
    steps: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Bilevel, "step", lambda *args: steps.append(1))
        search(replace(stopped, resume=True))
    assert not steps
    records = RunFolder(stopped.out).log.records()
    assert [r["event"] for r in records].count("stop") == 1


def test_a_search_whose_ranks_have_settled_stops(tmp_path: Path) -> None:
    config = tiny_search(
        tmp_path / "out", epochs=14, limit=64, alpha_start=1, alpha_lr=1e-9, stop_early="stable"
    )
    search(config)
    records = RunFolder(config.out).log.records()
    # the first epoch does not count: alpha did not learn
    assert [r["epoch"] for r in records if r["event"] == "epoch"] == list(range(12))
    assert records[-2] == {"event": "stop", "rule": "stable", "taken": 11}
