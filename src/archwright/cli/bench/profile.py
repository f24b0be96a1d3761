"""`archwright bench profile`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.profile_config import ProfileBenchConfig
from archwright.cli.command import Command
from archwright.cli.show import Show

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: ProfileBenchConfig) -> "tuple[ProfileBenchConfig, Results]":
    from archwright.bench.profile import bench_profile

    return config, bench_profile(config)


def _show(done: "tuple[ProfileBenchConfig, Results]", show: Show) -> dict[str, Any]:
    from archwright.bench.profile import agreement

    config, results = done
    spearman, error = agreement(results)
    show.line(
        f"{len(results.rows)} networks of {config.space} in {results.settings['runtime']}: "
        f"Spearman {spearman:.3f}, median error {100 * error:.1f} %"
    )
    if config.out is not None:
        show.line(f"results: {config.out}")
    return {**asdict(results), "spearman": spearman, "median_error": error}


command = Command(name="bench profile", config=ProfileBenchConfig, run=_run, show=_show)
