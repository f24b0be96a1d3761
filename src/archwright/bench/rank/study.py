"""`archwright bench rank`: how the study runs, and how its results are shown."""

from typing import TYPE_CHECKING, Any

from archwright.bench.engine.study import Console, Study, rows_to_json, show_conditions, show_table
from archwright.bench.rank.config import RankConfig

if TYPE_CHECKING:
    from archwright.bench.rank.rankings import Rankings


def _run(config: RankConfig) -> "Rankings":
    from archwright.bench.rank.run import bench_rank

    return bench_rank(config)


def _show(config: RankConfig, results: "Rankings", console: Console) -> dict[str, Any]:
    from archwright.bench.rank.rankings import agreements
    from archwright.bench.rank.tables import agreements_table

    rows = agreements(results)
    console.line(
        f"{len(results.architectures)} architectures of NAS-Bench-201, one-shot accuracy against "
        f"CIFAR-10 test accuracy after 200 epochs; preset {config.preset}, {results.hardware}"
    )
    table = agreements_table(rows, config.preset)
    show_table(console, table)
    return {
        **show_conditions(console, results, config.file),
        "rows": rows_to_json(rows),
    }


STUDY = Study(config=RankConfig, run=_run, show=_show)
