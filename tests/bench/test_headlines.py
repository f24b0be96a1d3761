"""The figures of the README are those of the files, and none is shown that was not measured."""

from dataclasses import asdict, replace
from pathlib import Path

from archwright.bench.budgets import judged, mean_regrets
from archwright.bench.headlines import headlines
from archwright.bench.results import Results, write_results
from archwright.bench.searches import write_searches
from archwright.tables import nasbench201

from . import found, pruned
from .test_budgets import case
from .test_scripts import some

CIFAR10 = {text: nasbench201.lookup(text).cifar10_test for text in (found.CONV3, found.CONV1)}


def rows(folder: Path) -> list[list[str]]:
    """The cells of each row."""
    lines = headlines(folder).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_nothing_measured_is_nothing_shown(tmp_path: Path) -> None:
    assert headlines(tmp_path) == ""


def test_a_supernet_is_told_in_found_networks(tmp_path: Path) -> None:
    results = some("darts", "all")
    write_results(tmp_path / "darts.json", results)
    by_name = {row["variant"]: row for row in results.rows}
    (memory, time) = rows(tmp_path)
    assert memory[1:] == [
        f"{by_name['all']['memory_ratio']:.1f}",
        f"{by_name['naive']['memory_ratio']:.1f} as commonly built",
    ]
    assert time[1] == f"{by_name['all']['time_ratio']:.1f}"


def test_searches_stand_beside_those_without_and_beside_chance(tmp_path: Path) -> None:
    path = tmp_path / "searches-a.json"
    both = [found.search("darts all", 0), found.search("darts none", 0, found.CONV1)]
    write_searches(path, found.results(*both))
    assert not rows(tmp_path)  # chance is missing
    drawn = found.search("random none", 0, found.CONV1)
    write_searches(path, found.results(*both, drawn))
    ((question, here, others),) = rows(tmp_path)
    assert "where 94.37 % is the best" in question
    conv3, conv1 = (f"{CIFAR10[text]:.2f} %" for text in (found.CONV3, found.CONV1))
    assert here == f"{conv3} in 2 CPU s (n = 1)"
    assert others == f"{conv1} in 2 CPU s (n = 1), not simplified; {conv1} (n = 1), drawn at random"
    names = ("darts all", "diffgraph all")
    searched = [found.search(name, 0, cpu_seconds=None) for name in names]
    write_searches(tmp_path / "searches-b.json", found.results(*searched, supernets=3))
    more = [found.search(f"diffgraph {stages}", 0) for stages in ("all", "none")]
    write_searches(path, found.results(*both, drawn, *more))
    together = ["The same by 3 supernets that decide together", f"{conv3} (n = 1)", "–"]
    assert rows(tmp_path)[1::2] == [together, together]
    assert [row[0].split()[3] for row in rows(tmp_path)[::2]] == ["darts", "diffgraph"]


def test_budgets_are_judged_by_the_table(tmp_path: Path) -> None:
    cases = [case(found.CONV3), case(found.CONV1, seed=1)]
    held = [asdict(one) for one in cases]
    plain = {"untrained": False, "published": False, "separate": False, "size_percentile": None}
    settings = {"method": "darts", "supernets": 1, **plain}
    results = Results(command="", settings=settings, rows=held, **pruned.FILE)
    write_results(tmp_path / "budgets.json", results)
    for number, (name, value) in enumerate(plain.items()):  # other questions, other tables
        other = {**settings, name: 20.0 if value is None else True}
        write_results(tmp_path / f"budgets-{number}.json", replace(results, settings=other))
    ((question, here, others),) = rows(tmp_path)
    outcomes = [judged(one) for one in cases]
    assert "answers of darts to budgets on one device" in question
    assert here == f"{mean_regrets(outcomes)['cifar10']:.2f}"
    assert f"{mean_regrets(outcomes, 'drawn')['cifar10']:.2f} drawn at random" in others
    for name, method in (("budgets-b", "darts"), ("budgets-c", "gdas")):
        several = {**settings, "method": method, "supernets": 3}
        write_results(tmp_path / f"{name}.json", replace(results, settings=several))
    assert rows(tmp_path)[1:] == [["The same by 3 supernets that decide together", here, "–"]]


def test_predictors_are_told_over_devices(tmp_path: Path) -> None:
    values = {"one": (0.9, 0.8), "other": (1.0, 0.7)}
    measured = [
        {"device": device, "seed": seed, "spearman": rho - seed / 10, "additive_spearman": plain}
        for device, (rho, plain) in values.items()
        for seed in (0, 1)
    ]
    results = Results(command="", settings={"samples": 30}, rows=measured, **pruned.FILE)
    write_results(tmp_path / "predictor.json", results)
    ((question, here, others),) = rows(tmp_path)
    assert "30 networks" in question
    assert here == "0.850 to 0.950"
    assert others == "0.700 to 0.800 for a sum over operations"


def test_pruning_is_told_at_its_largest_target(tmp_path: Path) -> None:
    write_results(tmp_path / "pruning.json", pruned.results())
    (question, here, others), (second, left, whole) = rows(tmp_path)
    assert "70 % of the multiply-accumulates" in question
    assert (here, others) == ("2.50 (0.71) (n = 2)", "–")
    assert "these nodes" in second
    assert left == "60.00 (0.00)"
    assert whole == (
        "62.50 (0.71), unpruned (the whole network, trained on as long); 50.00, fresh (the same "
        "nodes deleted, trained from fresh weights as long)"
    )
    latency = [
        {"batch": batch, "rounds": 9, "ms": 1.0, "unpruned_ms": 1.0, "time_ratio": ratio}
        for batch, ratio in ((1, 0.9), (32, 0.75))
    ]
    more = [pruned.row("operations", seed, 0.7, 61.0, latency=latency) for seed in (0, 1)]
    more += [pruned.row("whole", 0, 1.0, 65.0), pruned.row("gates", 0, 0.7, 60.0)]
    write_results(tmp_path / "pruning.json", pruned.results(*pruned.rows(), *more))
    told = rows(tmp_path)
    assert told[0][2] == (
        "15.00 (n = 1), fresh; 1.50 (0.71) (n = 2) at a time of 0.90 for 1 image and 0.75 for 32 "
        "images, operations; 2.00 (n = 1), gates"
    )
    assert told[1][2].endswith("65.00, whole (the whole network, as long in one go)")
