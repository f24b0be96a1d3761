"""`archwright bench nasbench201`."""

from typing import TYPE_CHECKING, Any

from archwright.bench.nasbench201_config import Nasbench201Config
from archwright.bench.searches import Searches
from archwright.cli.command import Command
from archwright.cli.show import Show, decimals

if TYPE_CHECKING:
    from archwright.bench.comparison import Accuracy, PairedTest, Standing


def _run(config: Nasbench201Config) -> tuple[Nasbench201Config, Searches]:
    from archwright.bench.nasbench201 import bench_nasbench201

    return config, bench_nasbench201(config)


def _show(done: tuple[Nasbench201Config, Searches], show: Show) -> dict[str, Any]:
    from dataclasses import asdict

    from archwright.bench.comparison import paired_tests, standings

    config, results = done
    rows, tests = standings(results.searches), paired_tests(results.searches)
    images = ", ".join(dict.fromkeys(search.images for search in results.searches))
    show.line(f"searched on {images}, preset {config.preset}, {results.hardware}")
    show.line("test accuracies in %: mean (deviation) over n seeds, looked up afterwards")
    show.table(
        (
            *("method", "simplified", "n", "saved MB", "peak MB", "s", "CPU s"),
            *("CIFAR-10", "CIFAR-100", "ImageNet16-120", "rank", "normalised cost"),
        ),
        [_row(row, config.preset) for row in rows],
        texts=2,
    )
    if tests:
        show.line("with simplification less without, seed by seed; p of 2^n sign flips, and of t")
        show.table(
            ("method", "simplified", "data set", "n", "points", "p, flips", "p, t"),
            [_test(test, config.preset) for test in tests],
            texts=3,
        )
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "searches": [search.to_json() for search in results.searches],
        "rows": [asdict(row) for row in rows],
        "tests": [asdict(test) for test in tests],
    }


def _row(row: "Standing", preset: str) -> tuple[str, ...]:
    one = row.contestant
    return (
        one.title(preset),
        decimals(None) if row.saved_bytes is None else one.supernet,
        str(row.n),
        *(decimals(_mega(value), 1) for value in (row.saved_bytes, row.peak_bytes)),
        decimals(row.seconds, 0),
        decimals(row.cpu_seconds, 0),
        *(_accuracy(value) for value in row.accuracies.values()),
        decimals(row.rank, 0),
        decimals(row.normalised_cost),
    )


def _mega(value: int | None) -> float | None:
    return None if value is None else value / 1e6


def _accuracy(value: "Accuracy") -> str:
    spread = "" if value.deviation is None else f" ({value.deviation:.2f})"
    return f"{value.mean:.2f}{spread}"


def _test(test: "PairedTest", preset: str) -> tuple[str, ...]:
    return (
        test.contestant.title(preset),
        test.contestant.supernet,
        test.dataset,
        str(test.n),
        f"{test.difference:+.2f}",
        decimals(test.permutation_p, 3),
        decimals(test.t_p, 3),
    )


command = Command(name="bench nasbench201", config=Nasbench201Config, run=_run, show=_show)
