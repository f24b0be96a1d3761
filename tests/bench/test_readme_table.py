"""The figures of the README are those of the files, and none is shown that was not measured."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from archwright.bench.budgets.cases import mean_regrets, score_case
from archwright.bench.engine.results import Results, write_results
from archwright.tables import nasbench201
from docs_tables.nasbench201 import nasbench201 as nasbench201_page
from docs_tables.readme_table import readme_table
from docs_tables.supernet import result_path

from . import sample_prunings, sample_searches
from .test_budgets import case
from .test_scripts import some

SEEDS = range(204, 214)
CIFAR10 = {
    text: nasbench201.lookup(text).cifar10_test
    for text in (sample_searches.CONV3, sample_searches.CONV1)
}


def rows(folder: Path) -> list[list[str]]:
    """The cells of each row."""
    lines = readme_table(folder).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_nothing_measured_is_nothing_shown(tmp_path: Path) -> None:
    assert readme_table(tmp_path) == ""


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


def test_searches_stand_beside_what_learned_nothing(tmp_path: Path) -> None:
    path = tmp_path / "searches.json"
    ours = [sample_searches.search("diffgraph all", seed) for seed in range(10)]
    write_results(path, sample_searches.results(*ours[:9]))
    assert rows(tmp_path) == []  # too few
    write_results(path, sample_searches.results(*ours))
    ((question, here, beside),) = rows(tmp_path)
    assert "what diffgraph finds in NAS-Bench-201, where 94.37 % is" in question
    assert here == "94.36 (0.00) % in 2 CPU s (n = 10)"
    nulls = ("89.89 (4.91) %, untrained", "89.45 (6.13) %, uniform draw, without none")
    assert beside == "; ".join((*nulls, "93.76 %, six 3x3 convolutions"))
    plain = [
        sample_searches.search("diffgraph none", seed, sample_searches.CONV1) for seed in range(10)
    ]
    write_results(path, sample_searches.results(*ours, *plain[:5]))
    assert "not simplified" not in rows(tmp_path)[0][2]  # both arms need as many seeds
    write_results(path, sample_searches.results(*ours, *plain))
    assert rows(tmp_path)[0][2].split("; ")[0].endswith("(n = 10), not simplified")
    write_results(tmp_path / "searches-x3.json", sample_searches.results(*ours, supernets=3))
    assert "by 3 supernets" in rows(tmp_path)[1][0]


def test_of_several_freezes_the_last_one_is_shown_and_all_stay_in_the_results(
    tmp_path: Path,
) -> None:
    first = [sample_searches.search("diffgraph all", seed, sample_searches.CONV1) for seed in SEEDS]
    second = [sample_searches.search("diffgraph all", seed + 15) for seed in SEEDS]
    write_results(tmp_path / "searches.json", sample_searches.results(*first, *second))
    ((_, here, _),) = rows(tmp_path)
    assert here.startswith("94.36 (0.00) %")
    page = nasbench201_page(tmp_path)
    places = [page.index(f"settings and seeds of freeze {freeze}**") for freeze in (2, 1)]
    assert places == sorted(places)
    assert f"{CIFAR10[sample_searches.CONV1]:.2f} (0.00)" in page


def test_budgets_are_judged_by_the_table(tmp_path: Path) -> None:
    cases = [case(sample_searches.CONV3), case(sample_searches.CONV1, seed=1)]
    held = [asdict(one) for one in cases]
    plain = {"untrained": False, "published": False, "separate": False, "size_percentile": None}
    settings = {"method": "darts", "supernets": 1, **plain}
    results = Results(command="", settings=settings, rows=held, **sample_prunings.FILE)
    write_results(tmp_path / "budgets.json", results)
    for number, (name, value) in enumerate(plain.items()):  # other questions, other tables
        other = {**settings, name: 20.0 if value is None else True}
        write_results(tmp_path / f"budgets-{number}.json", replace(results, settings=other))
    ((question, here, others),) = rows(tmp_path)
    outcomes = [score_case(one) for one in cases]
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
    results = Results(command="", settings={"samples": 30}, rows=measured, **sample_prunings.FILE)
    write_results(tmp_path / "predictor.json", results)
    ((question, here, others),) = rows(tmp_path)
    assert "30 networks" in question
    assert here == "0.850 to 0.950"
    assert others == "0.700 to 0.800 for a sum over operations"


def test_pruning_is_told_at_its_largest_target(tmp_path: Path) -> None:
    write_results(tmp_path / "pruning.json", sample_prunings.results())
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
    more = [sample_prunings.row("operations", seed, 0.7, 61.0, latency=latency) for seed in (0, 1)]
    more += [sample_prunings.row("whole", 0, 1.0, 65.0), sample_prunings.row("gates", 0, 0.7, 60.0)]
    write_results(
        tmp_path / "pruning.json", sample_prunings.results(*sample_prunings.rows(), *more)
    )
    told = rows(tmp_path)
    assert told[0][2] == (
        "15.00 (n = 1), fresh; 1.50 (0.71) (n = 2) at a time of 0.90 for 1 image and 0.75 for 32 "
        "images, operations; 2.00 (n = 1), gates"
    )
    assert told[1][2].endswith("65.00, whole (the whole network, as long in one go)")
