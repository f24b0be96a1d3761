"""`archwright bench rank`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archwright.bench.rank_config import RankConfig
from archwright.cli.command import Command
from archwright.cli.console import Show

if TYPE_CHECKING:
    from archwright.bench.rankings import Rankings


def _run(config: RankConfig) -> "tuple[RankConfig, Rankings]":
    from archwright.bench.rank import bench_rank

    return config, bench_rank(config)


def _show(done: "tuple[RankConfig, Rankings]", show: Show) -> dict[str, Any]:
    from archwright.bench.rankings import agreements
    from archwright.bench.tabulate import agreements_table

    config, results = done
    rows = agreements(results)
    show.line(
        f"{len(results.architectures)} architectures of NAS-Bench-201, one-shot accuracy against "
        f"CIFAR-10 test accuracy after 200 epochs; preset {config.preset}, {results.hardware}"
    )
    table = agreements_table(rows, config.preset)
    show.table(table.columns, table.rows, texts=table.texts)
    show.line(f"results: {config.file}")
    return {
        "command": results.command,
        "settings": results.settings,
        "hardware": results.hardware,
        "out": str(config.file),
        "rows": [asdict(row) for row in rows],
    }


command = Command(name="bench rank", config=RankConfig, run=_run, show=_show)
