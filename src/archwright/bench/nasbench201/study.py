"""`archwright bench nasbench201`: how the study runs, and how its results are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study, rows_to_json, show_conditions, show_table
from archwright.bench.nasbench201.config import Nasbench201Config

if TYPE_CHECKING:
    from archwright.bench.nasbench201.searches import Searches


def _run(config: Nasbench201Config) -> "Searches":
    from archwright.bench.nasbench201.run import bench_nasbench201

    return bench_nasbench201(config)


def _show(config: Nasbench201Config, results: "Searches", console: Console) -> dict[str, Any]:
    from archwright.bench.engine.arms import BASELINES
    from archwright.bench.nasbench201.comparison import paired_tests, summarise_searches
    from archwright.bench.nasbench201.nulls import main_nulls, nulls
    from archwright.bench.nasbench201.tables import (
        null_difference_table,
        searches_table,
        tests_table,
    )

    rows, tests = summarise_searches(results.searches), paired_tests(results.searches)
    images = ", ".join(dict.fromkeys(search.images for search in results.searches))
    console.line(f"searched on {images}, preset {config.preset}, {results.hardware}")
    console.line("test accuracies in %: mean (deviation) over n seeds, looked up afterwards")
    show_table(console, searches_table(rows, config.preset, nulls()))
    learned = [row for row in rows if row.arm.method not in BASELINES]
    if (beside := null_difference_table(learned, main_nulls(), config.preset)).rows:
        console.line("points above what nothing was learned for, with 95 % intervals")
        show_table(console, beside)
    if tests:
        console.line(
            "with simplification less without, seed by seed; p of all sign flips, and of t"
        )
        show_table(console, tests_table(tests, config.preset))
    return {
        **show_conditions(console, results, config.file),
        "searches": [search.to_json() for search in results.searches],
        "rows": rows_to_json(rows),
        "nulls": [asdict(null) for null in nulls()],
        "tests": rows_to_json(tests),
    }


STUDY = Study(config=Nasbench201Config, run=_run, show=_show)
