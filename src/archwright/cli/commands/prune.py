"""`archwright prune`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, decimals
from archwright.cli.page import show_page
from archwright.pruning.config import PruneConfig

if TYPE_CHECKING:
    from archwright.pruning.result import PruneResult


def _run(config: PruneConfig) -> "PruneResult":
    from archwright.pruning.run import prune

    return prune(config)


def _show(result: "PruneResult", show: Show) -> dict[str, Any]:
    from archwright.engine.runs.folder import RunFolder
    from archwright.tasks import find_metric

    metric = find_metric(result.metric)
    show.networks(result.rows)
    left = result.macs_after / result.macs_before
    show.line(
        f"{result.nodes_deleted} nodes deleted, {left:.1%} of the MACs left; {metric.label} before "
        f"fine-tuning: {metric.text(result.score_pruned, 2)}"
    )
    if result.latency_ms_after is not None:
        show.line(
            f"latency: {decimals(result.latency_ms_after, 3)} ms, before "
            f"{decimals(result.latency_ms_before, 3)} ms (one image, one thread, onnxruntime)"
        )
    show.line(f"counted at {result.counted_at.text}")
    summary = RunFolder(result.out).data_summary()
    return {**result.to_json(), "data_summary": summary, "report": show_page(result.out, show)}


command = Command(name="prune", config=PruneConfig, run=_run, show=_show, positional="run")
