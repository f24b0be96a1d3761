"""`archwright export`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, column, count, decimals
from archwright.cli.page import show_page
from archwright.deployment.config import ExportConfig

if TYPE_CHECKING:
    from archwright.deployment.export import ExportResult


def _run(config: ExportConfig) -> "ExportResult":
    from archwright.deployment.export import export

    return export(config)


def _show(result: "ExportResult", show: Show) -> dict[str, Any]:
    show.table(("network", "MACs", "bytes", column(result.metric), "ms"), _rows(result))
    batch = "one image" if result.batch_size == 1 else f"{result.batch_size} images"
    threads = "one thread" if result.threads == 1 else f"{result.threads} threads"
    show.line(
        f"{result.runtime}, {batch} in {threads}: median of {result.repeats}, spread "
        f"{result.latency_spread_ms:.3f} ms"
    )
    show.line(f"as torch to {result.deviation:.1e} of the largest logit")
    content = result.to_json()
    if result.noted:
        content["report"] = show_page(result.noted, show)
    elif result.unnoted:
        show.line(f"not in the report of the run: {result.unnoted}")
    show.line(f"exported: {result.file}")
    return content


def _rows(result: "ExportResult") -> list[tuple[str, str, str, str, str]]:
    macs = count(result.macs)
    rows = [
        (
            result.weights,
            macs,
            count(result.bytes),
            decimals(result.score),
            decimals(result.latency_ms, 3),
        )
    ]
    if result.bytes_float32 is not None:
        size, score = count(result.bytes_float32), decimals(result.score_float32)
        rows.append(("float32", macs, size, score, decimals(result.latency_ms_float32, 3)))
    if result.macs_unpruned is not None:
        time = decimals(result.latency_ms_unpruned, 3)
        rows.append(("unpruned", count(result.macs_unpruned), decimals(None), decimals(None), time))
    return rows


command = Command(name="export", config=ExportConfig, run=_run, show=_show, positional="run")
