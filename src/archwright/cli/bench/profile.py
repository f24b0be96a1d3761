"""`archwright bench profile`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.profile_config import ProfileBenchConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.results import Results


def _run(config: ProfileBenchConfig) -> "tuple[ProfileBenchConfig, Results]":
    from archwright.bench.profile import bench_profile

    return config, bench_profile(config)


def _show(done: "tuple[ProfileBenchConfig, Results]", show: Show) -> dict[str, Any]:
    from archwright.bench.profile import Agreement

    config, results = done
    found = Agreement.of(results)
    show.line(
        f"{len(results.rows)} networks of {config.space} in {results.settings['runtime']}: "
        f"Spearman {found.spearman:.3f}, median error {100 * found.error:.1f} %; measured is "
        f"{found.factor:.2f} times what was predicted, {100 * found.error_left:.1f} % but for that"
    )
    if config.out is not None:
        show.line(f"results: {config.out}")
    said = {"spearman": found.spearman, "median_error": found.error}
    return {**asdict(results), **said, "factor": found.factor, "error_left": found.error_left}


command = Command(name="bench profile", config=ProfileBenchConfig, run=_run, show=_show)
