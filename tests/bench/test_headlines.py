"""The figures of the README are those of the files, and none is shown that was not measured."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from archwright.bench.budgets import judged, mean_regrets
from archwright.bench.headlines import headlines
from archwright.bench.results import Results, write_results
from archwright.bench.searches import write_searches
from archwright.bench.supernet_pages import result_path
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
    """What is commonly built is other code, not our own naive lowering."""
    wanted: dict[str, Any] = {"simplify": "none/fused,all", "beside": Path("original.py")}
    for batch, count in ((16, 2), (64, 2), (16, 1)):
        one = some("darts", **wanted, batch_size=batch, threads=count)
        write_results(result_path(tmp_path, f"darts-b{batch}-t{count}"), one)
    by_name = {row["variant"]: row for row in one.rows}
    here, original, fused = (
        [f"{by_name[name][f'{ratio}_ratio']:.1f}" for ratio in ("memory", "time")]
        for name in ("all", "original", "none/fused")
    )
    (memory, two, single) = rows(tmp_path)
    said = "{} as commonly built, by the original code; {} fused, not simplified"
    assert memory[1:] == [here[0], said.format(original[0], fused[0])]
    assert two[0].endswith("; 16 and 64 images, 2 threads")
    assert two[1:] == [
        f"{here[1]} and {here[1]}",
        said.format(*(f"{one[1]} and {one[1]}" for one in (original, fused))),
    ]
    assert single[0].endswith("; 16 images, 1 thread")
    assert single[1:] == [here[1], said.format(original[1], fused[1])]
    write_results(result_path(tmp_path, "darts-b16-t2"), some("darts", "all", timed=False))
    (_, two, _) = rows(tmp_path)
    assert two[0].endswith("; 64 images, 2 threads")


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
    results = Results(
        command="", settings={"method": "darts", "supernets": 1}, rows=held, **pruned.FILE
    )
    write_results(tmp_path / "budgets.json", results)
    ((question, here, others),) = rows(tmp_path)
    outcomes = [judged(one) for one in cases]
    within = sum(one.feasible for one in outcomes)
    assert "answers of darts to budgets on one device" in question
    assert here == f"{mean_regrets(outcomes)['cifar10']:.2f}; {within} of 2 are within"
    assert f"{mean_regrets(outcomes, 'drawn')['cifar10']:.2f} drawn at random" in others
    for name, method in (("budgets-b", "darts"), ("budgets-c", "gdas")):
        several = {"method": method, "supernets": 3}
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
    ((question, here, others),) = rows(tmp_path)
    assert "70 % of the multiply-accumulates" in question
    assert (here, others) == ("2.50 (0.71)", "–")
    more = [*pruned.rows(), *(pruned.row("operations", seed, 0.7, 61.0) for seed in (0, 1))]
    write_results(tmp_path / "pruning.json", pruned.results(*more))
    assert rows(tmp_path)[0][2] == "1.50 (0.71), operations"
