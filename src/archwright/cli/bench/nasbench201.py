"""`archwright bench nasbench201`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.nasbench201_config import Nasbench201Config
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.searches import Searches
    from archwright.bench.tabulate import Table


def _run(config: Nasbench201Config) -> "tuple[Nasbench201Config, Searches]":
    from archwright.bench.nasbench201 import bench_nasbench201

    return config, bench_nasbench201(config)


def _show(done: "tuple[Nasbench201Config, Searches]", show: Show) -> dict[str, Any]:
    from archwright.bench.comparison import paired_tests, standings
    from archwright.bench.contestants import BASELINES
    from archwright.bench.nulls import compared_nulls, nulls
    from archwright.bench.tabulate import above_table, standings_table, tests_table

    config, results = done
    rows, tests = standings(results.searches), paired_tests(results.searches)
    images = ", ".join(dict.fromkeys(search.images for search in results.searches))
    show.line(f"searched on {images}, preset {config.preset}, {results.hardware}")
    show.line("test accuracies in %: mean (deviation) over n seeds, looked up afterwards")
    _table(show, standings_table(rows, config.preset, nulls()))
    learned = [row for row in rows if row.contestant.method not in BASELINES]
    if (beside := above_table(learned, compared_nulls(), config.preset)).rows:
        show.line("points above what nothing was learned for, with 95 % intervals")
        _table(show, beside)
    if tests:
        show.line("with simplification less without, seed by seed; p of all sign flips, and of t")
        _table(show, tests_table(tests, config.preset))
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "searches": [search.to_json() for search in results.searches],
        "rows": [asdict(row) for row in rows],
        "nulls": [asdict(null) for null in nulls()],
        "tests": [asdict(test) for test in tests],
    }


def _table(show: Show, table: "Table") -> None:
    show.table(table.columns, table.rows, texts=table.texts)


command = Command(name="bench nasbench201", config=Nasbench201Config, run=_run, show=_show)
