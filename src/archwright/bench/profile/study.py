"""`archwright bench profile`: how the study runs, and how its results are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study
from archwright.bench.profile.config import ProfileBenchConfig

if TYPE_CHECKING:
    from archwright.bench.engine.results import Results


def _run(config: ProfileBenchConfig) -> "Results":
    from archwright.bench.profile.run import bench_profile

    return bench_profile(config)


def _show(config: ProfileBenchConfig, results: "Results", console: Console) -> dict[str, Any]:
    from archwright.bench.profile.run import TableAgreement

    found = TableAgreement.of(results)
    console.line(
        f"{len(results.rows)} networks of {config.space} in {results.settings['runtime']}: "
        f"Spearman {found.spearman:.3f}, median error {100 * found.error:.1f} %; measured is "
        f"{found.factor:.2f} times what was predicted, {100 * found.error_left:.1f} % but for that"
    )
    if config.out is not None:
        console.line(f"results: {config.out}")
    said = {"spearman": found.spearman, "median_error": found.error}
    return {**asdict(results), **said, "factor": found.factor, "error_left": found.error_left}


STUDY = Study(config=ProfileBenchConfig, run=_run, show=_show)
