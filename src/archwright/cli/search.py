"""`archwright search`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.show import Show, count, decimals
from archwright.search.config import SearchConfig

if TYPE_CHECKING:
    from archwright.search.outcome import SearchResult


def _run(config: SearchConfig) -> "SearchResult":
    from archwright.search.run import search

    return search(config)


def _show(result: "SearchResult", show: Show) -> dict[str, Any]:
    from archwright.report import write_report
    from archwright.runs.folder import RunFolder

    content = result.to_json()
    numbers = (
        count(result.params),
        count(result.macs),
        decimals(result.accuracy),
        decimals(result.seconds, 1),
    )
    show.table(("network", "parameters", "MACs", "top-1 %", "seconds"), [("found", *numbers)])
    show.line(f"architecture: {content['architecture']}")
    page = write_report([result.out])
    show.line(f"report: {page}")
    return {**content, "data_summary": RunFolder(result.out).data_summary(), "report": str(page)}


command = Command(name="search", config=SearchConfig, run=_run, show=_show)
