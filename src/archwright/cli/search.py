"""`archwright search`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, count, decimals
from archwright.cli.page import show_page
from archwright.nas.config import SearchConfig

if TYPE_CHECKING:
    from archwright.nas.loop.result import SearchResult


def _run(config: SearchConfig) -> "SearchResult":
    from archwright.nas.loop.search import search

    return search(config)


def _show(result: "SearchResult", show: Show) -> dict[str, Any]:
    from archwright.engine.folder import RunFolder

    content = result.to_json()
    numbers = (
        count(result.params),
        count(result.macs),
        decimals(result.accuracy),
        decimals(result.seconds, 1),
    )
    show.table(("network", "parameters", "MACs", "top-1 %", "seconds"), [("found", *numbers)])
    show.line(f"architecture: {content['architecture']}")
    for line in _costs(result):
        show.line(line)
    summary = RunFolder(result.out).data_summary()
    return {**content, "data_summary": summary, "report": show_page(result.out, show)}


def _costs(result: "SearchResult") -> Iterator[str]:
    """What was limited or weighed, each beside its limit, and what it was counted at."""
    limits = result.limits or {}
    for name, value in (result.costs or {}).items():
        most = f" of at most {limits[name]:,.6g}" if name in limits else ""
        yield f"{name}: {value:,.6g}{most}"
    verdict = {None: "", True: "within the budgets; ", False: "NOT within the budgets; "}
    if result.counted_at is not None:
        yield f"{verdict[result.feasible]}counted at {result.counted_at.text}"


command = Command(name="search", config=SearchConfig, run=_run, show=_show)
