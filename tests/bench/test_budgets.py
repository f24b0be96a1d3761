"""Searches within budgets: cases that are kept, and scored by the table when they are read."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

from archwright.bench.budgets import run as budgets
from archwright.bench.budgets.cases import (
    Case,
    CaseScore,
    mean_regrets,
    read_cases,
    score_argmax,
    score_case,
)
from archwright.bench.budgets.config import BudgetsConfig
from archwright.bench.budgets.published import PUBLISHED, budget_of, size_of, sizes_mb
from archwright.bench.budgets.run import bench_budgets
from archwright.bench.budgets.tables import budgets_overview, budgets_table
from archwright.errors import ConfigError, RunError
from archwright.nas.loop.ensemble import SupernetEnsemble
from archwright.nas.methods import METHODS
from archwright.spaces import write_architecture
from archwright.tables import nasbench201
from archwright.tables.nasbench201 import DEVICES
from docs_tables.budgets import budgets as page
from docs_tables.budgets import budgets_summary

BEST = nasbench201.optimum("cifar10").arch
DEAD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def config_in(folder: Path, **changes: Any) -> BudgetsConfig:
    settings: dict[str, Any] = {
        **{"data": "digits", "channels": 4, "cells": 1, "epochs": 1, "batch_size": 16},
        **{"limit": 64, "test_limit": 40, "device": "cpu", "threads": 1, "finalists": 2},
        **{"devices": "edgegpu,edgetpu", "percentiles": "20,60", "runs": folder},
    }
    return BudgetsConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> BudgetsConfig:
    """A bench that has ended."""
    config = config_in(tmp_path_factory.mktemp("budgets"))
    bench_budgets(config)
    return config


def case(architecture: str, device: str = "edgegpu", **changes: Any) -> Case:
    settings: dict[str, Any] = {
        **{"seed": 0, "device": device, "percentile": 20.0, "budget_ms": budget_of(device, 20)},
        **{"architecture": architecture, "seconds": 1.0, "size_mb": None, "strongest": None},
    }
    return Case(**{**settings, **changes})


def test_a_budget_is_a_percentile_of_what_was_measured() -> None:
    delays = nasbench201.latency("edgetpu")
    assert np.isnan(delays).any()
    share = (delays[~np.isnan(delays)] <= budget_of("edgetpu", 40)).mean()
    assert share == pytest.approx(0.4, abs=1e-3)


def test_a_case_is_judged_by_the_table() -> None:
    beyond = score_case(case(BEST))
    assert not beyond.feasible
    assert beyond.regrets["cifar10"] < 0  # what is beyond the budget may be better than the best
    limit = float(np.nanmax(nasbench201.latency("edgegpu")))
    free = score_case(case(BEST, budget_ms=limit))
    assert free.feasible
    assert free.regrets["cifar10"] == 0.0
    within = nasbench201.best_within("edgegpu", budget_of("edgegpu", 20))
    best = score_case(case(within.arch))
    assert best.feasible
    assert best.regrets["cifar10"] == 0.0
    assert best.best["cifar10"] == pytest.approx(within.cifar10_test)
    assert mean_regrets([free, best])["cifar10"] == 0.0
    everywhere = nasbench201.accuracy("cifar10")[~np.isnan(nasbench201.latency("edgegpu"))]
    assert free.drawn["cifar10"] == pytest.approx(
        free.best["cifar10"] - everywhere.mean(), abs=1e-3
    )
    assert mean_regrets([free], "drawn")["cifar10"] == free.drawn["cifar10"]
    heavy = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    most = nasbench201.lookup(heavy + "nor_conv_3x3~2|").cifar10_test
    assert free.largest["cifar10"] == pytest.approx(free.best["cifar10"] - most, abs=1e-3)


def test_what_was_not_measured_is_infeasible() -> None:
    delays = nasbench201.latency("edgetpu")
    unmeasured = nasbench201.architectures()[int(np.flatnonzero(np.isnan(delays))[0])]
    outcome = score_case(case(unmeasured, "edgetpu"))
    assert outcome.latency_ms is None
    assert not outcome.feasible


def test_every_case_is_within_its_budget(done: BudgetsConfig) -> None:
    results = read_cases(done.file)
    cases = results.rows
    assert [(one.device, one.percentile) for one in cases] == [
        *(("edgegpu", 20.0), ("edgegpu", 60.0), ("edgetpu", 20.0), ("edgetpu", 60.0))
    ]
    assert all(score_case(one).feasible for one in cases)
    assert DEAD not in {one.architecture for one in cases}
    assert "regret" not in done.file.read_text()
    assert json.loads(done.file.read_text())["schema"] == 1
    assert results.command.startswith("archwright bench budgets --devices edgegpu,edgetpu")
    assert len(list(done.runs.glob("diffgraph-*"))) == 1  # one search for all of them


def test_what_has_ended_is_not_done_again(
    done: BudgetsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = done.file.read_text()
    monkeypatch.setattr(budgets, "search", lambda config: pytest.fail("was done already"))
    bench_budgets(done)
    assert done.file.read_text() == before


def test_a_stopped_bench_goes_on(done: BudgetsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(done.file.read_text())
    content["rows"] = content["rows"][:1]
    other = replace(done, out=done.runs / "other.json")
    other.file.write_text(json.dumps(content))
    cases = bench_budgets(other).rows
    whole = read_cases(done.file).rows
    assert [replace(one, seconds=0.0) for one in cases] == [
        replace(one, seconds=0.0) for one in whole
    ]
    assert read_cases(other.file).command == read_cases(done.file).command
    with pytest.raises(
        RunError, match=r"other.json was measured with finalists=2, not 3: repeat its settings, or "
    ):
        bench_budgets(replace(other, finalists=3))


def test_the_command_is_that_of_all_cases(done: BudgetsConfig) -> None:
    """Those of earlier calls among them."""
    other = replace(done, out=done.runs / "calls.json", devices="edgegpu", percentiles="60")
    bench_budgets(other)
    results = bench_budgets(replace(other, devices="edgetpu", percentiles="60,12.345678"))
    assert results == read_cases(other.file)
    assert results.command == (
        "archwright bench budgets --devices edgegpu,edgetpu --percentiles 60,12.345678 --seeds 0 "
        "--method diffgraph --preset proxy --data digits --test-limit 40 --device cpu --threads 1 "
        "--channels 4 --cells 1 --epochs 1 --batch-size 16 --limit 64 --finalists 2"
    )
    row = results.rows[0].to_json()
    rows = [{**row, "device": name, "seed": seed} for name in DEVICES for seed in (4, 1, 0)]
    command = BudgetsConfig.command(results.settings, rows)
    assert "--devices all --percentiles 60 --seeds 0-1,4 " in command


def test_supernets_answer_together(tmp_path: Path) -> None:
    config = config_in(tmp_path, supernets=2, devices="edgegpu")
    cases = bench_budgets(config).rows
    searched = replace(config.search(0), finalists=2)
    assert searched.out.name.endswith("-x2-0")
    asked = SupernetEnsemble.load(searched)
    assert len(asked.members) == 2
    for one in cases:
        found = asked.derive(config.within(0, one.device, one.budget_ms))
        assert one.architecture == write_architecture(found)


def test_separate_searches_hold_a_budget_or_weigh_a_penalty(tmp_path: Path) -> None:
    one = {"devices": "edgegpu", "percentiles": "60", "separate": True}
    limit = budget_of("edgegpu", 60)
    config = config_in(tmp_path, **one)
    within = config.within(0, "edgegpu", limit)
    assert (within.max_latency_ms, within.objective) == (limit, None)
    assert within.deploy_image_size == 32  # what was measured, whatever the images are
    weighed = replace(config, penalty=0.3).weighed(0, "edgegpu")
    assert (weighed.max_latency_ms, weighed.objective) == (
        None,
        "latency_ms=0.3",
    )
    assert weighed.deploy_image_size == 32
    assert replace(config, penalty=0.0).weighed(0, "edgegpu").objective is None
    both = replace(config, penalty=0.3, size_percentile=40.0).weighed(0, "edgegpu")
    assert both.objective == "latency_ms=0.3+size_mb=0.3"
    assert both.out != weighed.out
    assert len({config.within(0, "edgegpu", x).out for x in (limit, 2 * limit)}) == 2
    (case,) = bench_budgets(config).rows
    assert score_case(case).feasible
    held = bench_budgets(replace(config, penalty=0.3, out=tmp_path / "weight.json"))
    cases = held.rows
    assert score_case(cases[0]).feasible  # what was weighed is derived within the budget, too
    rows = budgets_overview([(held, [score_case(one) for one in cases])]).rows
    assert [row[2:4] for row in rows[:2]] == [("weight 0.3", "argmax"), ("weight 0.3", "exact")]


def test_what_alpha_speaks_for_is_judged_before_any_derivation() -> None:
    kept = score_case(
        case("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", strongest=BEST)
    )
    (alone,) = score_argmax([kept])
    assert kept.feasible
    assert not alone.feasible
    assert alone.case.architecture == BEST
    assert score_argmax([replace(kept, case=replace(kept.case, strongest=None))]) == []


def test_latency_and_size_hold_together() -> None:
    limit = float(np.nanmax(nasbench201.latency("edgegpu")))
    small = size_of(20)
    assert (sizes_mb() <= small).mean() == pytest.approx(0.2, abs=0.02)
    outcome = score_case(case(BEST, budget_ms=limit, size_mb=small))
    assert not outcome.feasible
    assert score_case(case(BEST, budget_ms=limit, size_mb=size_of(100))).feasible
    within = nasbench201.accuracy("cifar10")[sizes_mb() <= small]
    assert outcome.best["cifar10"] == pytest.approx(float(within.max()))


def test_untrained_alpha_answers_without_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "search", lambda config: pytest.fail("nothing is trained"))
    config = config_in(tmp_path, untrained=True, finalists=1, seeds="0-1", size_percentile=60.0)
    held = bench_budgets(config)
    cases = held.rows
    assert len(cases) == 8
    assert all(score_case(one).feasible and one.strongest is not None for one in cases)
    assert not list(tmp_path.glob("diffgraph-*"))
    assert "--size-percentile 60.0 --untrained" in held.command
    rows = budgets_overview([(held, [score_case(one) for one in cases])]).rows
    assert [row[0] for row in rows[:2]] == ["untrained diffgraph"] * 2
    assert rows[1][4:6] == ("2", "8 of 8")


def test_the_answers_of_help_stand_beside_ours(tmp_path: Path) -> None:
    everywhere = {"devices": "all", "percentiles": "20,40,60"}
    config = config_in(tmp_path, untrained=True, published=True, finalists=1, **everywhere)
    held = bench_budgets(config)
    cases = held.rows
    assert [(one.device, one.budget_ms) for one in cases] == [
        *(("eyeriss", 5.0), ("eyeriss", 7.0), ("eyeriss", 9.0)),
        *(("fpga", 4.0), ("fpga", 5.0), ("fpga", 6.0)),
    ]
    assert "bench budgets --published --seeds 0 " in held.command
    text = page(tmp_path)
    assert "**The budgets of HELP, CIFAR-100**" in text
    assert "| eyeriss | 9 | 73.48 | 9.1 (over) | 73.5 |" in text
    assert "| mean regret | – | – | – | 0.93, 4 of 6 |" in text
    assert len(PUBLISHED) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": "edgegpu,pixel"}, "unknown device 'pixel': did you mean 'pixel3'?"),
        ({"percentiles": "20,x"}, "--percentiles x: give numbers up to 100, above 0"),
        ({"percentiles": "0"}, "--percentiles 0: give numbers up to 100, above 0"),
        ({"method": "random"}, "random learns no alpha, which budgets are answered from"),
        ({"penalty": 0.3}, "--penalty has no use without --separate"),
        ({"penalty": 0.0}, "--penalty has no use without --separate"),
        (
            {"untrained": True, "supernets": 2},
            "--untrained has no use with --separate or --supernets: leave them out",
        ),
        (
            {"published": True, "devices": "fpga"},
            "--devices is of no use with --published: leave one of them out",
        ),
        ({"size_percentile": 0.0}, "--size-percentile must be up to 100, above 0, got 0.0"),
        ({"progressive": True}, "--progressive has no use without --separate"),
        ({"progressive": False}, "--progressive has no use without --separate"),
        ({"method": "darts", "encoder": True}, "--encoder is no option of darts, but of diffgraph"),
        ({"finalists": 0}, "--finalists must be above 0, got 0"),
        ({"out": Path("/")}, "--out / is a folder: name a file"),
    ],
)
def test_settings_that_are_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        BudgetsConfig(**changes)
    assert str(error.value).startswith(message)


def test_cases_of_another_preset_are_refused(
    done: BudgetsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = METHODS["diffgraph"].presets
    changed = {**own, "proxy": {**own["proxy"], "alpha_lr": 0.5}}
    monkeypatch.setattr(METHODS["diffgraph"], "presets", changed)
    with pytest.raises(RunError, match=r"was measured with options=.*: repeat its settings"):
        bench_budgets(done)


def test_a_file_that_holds_no_cases(done: BudgetsConfig, tmp_path: Path) -> None:
    content = json.loads(done.file.read_text())
    path = tmp_path / "budgets.json"
    for changed, message in (
        ({"device": None}, "case 1: it lacks device"),
        ({"architecture": "|x~0|"}, "case 1: not a NAS-Bench-201 architecture"),
        ({"budget_ms": "4"}, "case 1: its budget_ms cannot be '4'"),
    ):
        row = {**content["rows"][0], **changed}
        row = {n: v for n, v in row.items() if n not in changed or v is not None}
        path.write_text(json.dumps({**content, "rows": [row]}))
        with pytest.raises(RunError, match=message):
            read_cases(path)


def test_the_table_and_the_page(done: BudgetsConfig, tmp_path: Path) -> None:
    outcomes = [score_case(one) for one in read_cases(done.file).rows]
    table = budgets_table(outcomes)
    assert len(table.rows) == 7
    last = ["mean", "most MACs within", "drawn at random"]
    assert [row[0] for row in table.rows[-3:]] == last
    assert table.rows[-3][5] == "4 of 4"
    assert page(tmp_path) == ""
    (tmp_path / "budgets.json").write_text(done.file.read_text())
    text = page(tmp_path)
    assert "`archwright bench budgets" in text
    assert text.count("| edgegpu |") == 2


def test_several_seeds_are_summed_up(done: BudgetsConfig, tmp_path: Path) -> None:
    cases = read_cases(done.file).rows
    other = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    again = [replace(case, seed=case.seed + 1, architecture=other) for case in cases]
    outcomes = [score_case(case) for case in (*cases, *again)]
    table = budgets_summary(outcomes)
    assert len(table.rows) == 4 + 3
    first = [o for o in outcomes if (o.case.device, o.case.percentile) == _place(outcomes[0])]
    regrets = [o.regrets["cifar10"] for o in first]
    assert table.rows[0][6] == f"{mean(regrets):.2f} ({stdev(regrets):.2f})"
    assert table.rows[0][3] == "2"
    assert table.rows[-3][3] == "8"
    content = json.loads(done.file.read_text())
    content["rows"] += [asdict(case) for case in again]
    (tmp_path / "budgets.json").write_text(json.dumps(content))
    assert page(tmp_path).count("| edgegpu |") == 2


def test_several_files_are_summed_up_first(done: BudgetsConfig, tmp_path: Path) -> None:
    content = json.loads(done.file.read_text())
    ours = content["settings"]
    files = {
        "budgets-other-x3": {**ours, "method": "darts", "supernets": 3},
        "budgets-other": {**ours, "method": "darts"},
        "budgets": ours,
    }
    for name, settings in files.items():
        text = json.dumps({**content, "settings": settings})
        (tmp_path / f"{name}.json").write_text(text)
    text = page(tmp_path)
    lines = [line.split(" | ") for line in text.splitlines()]
    assert lines[0] == ["**A budget on latency**"]
    assert lines[2][:6] == ["| alpha", "supernets", "pressure", "derivation", "n", "within"]
    exact = [line for line in lines if line[3:4] == ["exact"]]
    assert [line[:2] for line in exact] == [
        ["| diffgraph", "1"],
        ["| darts", "1"],
        ["| darts", "3"],
    ]
    outcomes = [score_case(one) for one in read_cases(done.file).rows]
    means = [f"{value:.2f}" for value in mean_regrets(outcomes).values()]
    assert exact[0][4:] == ["1", "4 of 4", *means[:2], f"{means[2]} |"]
    assert [line[3] for line in lines if line[0] == "| darts"] == ["argmax", "exact"] * 2
    assert text.count("`archwright bench budgets") == 3


def _place(outcome: CaseScore) -> tuple[str, float | None]:
    return outcome.case.device, outcome.case.percentile
