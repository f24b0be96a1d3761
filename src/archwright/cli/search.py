"""`archwright search`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.page import show_page
from archwright.cli.show import Show, count, decimals
from archwright.search.config import SearchConfig

if TYPE_CHECKING:
    from archwright.search.outcome import SearchResult


def _run(config: SearchConfig) -> "SearchResult":
    from archwright.search.run import search

    return search(config)


def _show(result: "SearchResult", show: Show) -> dict[str, Any]:
    content = result.to_json()
    numbers = (
        count(result.params),
        count(result.macs),
        decimals(result.accuracy),
        decimals(result.seconds, 1),
    )
    show.table(("network", "parameters", "MACs", "top-1 %", "seconds"), [("found", *numbers)])
    show.line(f"architecture: {content['architecture']}")
    return {**content, "report": show_page(result.out, show)}


command = Command(name="search", config=SearchConfig, run=_run, show=_show)
