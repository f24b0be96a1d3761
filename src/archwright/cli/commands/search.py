"""`archwright search`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, column, count, decimals
from archwright.cli.flags import METHOD, Flag, read_flags
from archwright.cli.page import show_page
from archwright.engine.options import require
from archwright.nas.config import SearchConfig, require_own_names
from archwright.nas.methods import METHODS

if TYPE_CHECKING:
    from archwright.nas.loop.result import SearchResult


def _run(config: SearchConfig) -> "SearchResult":
    from archwright.nas.loop.search import search

    return search(config)


def _show(result: "SearchResult", show: Show) -> dict[str, Any]:
    from archwright.engine.runs.folder import RunFolder, read_config
    from archwright.tasks import get_task

    content = result.to_json()
    numbers = (
        count(result.params),
        count(result.macs),
        decimals(result.accuracy),
        decimals(result.seconds, 1),
    )
    score = column(get_task(str(read_config(result.out)["task"])).metric.key)
    show.table(("network", "parameters", "MACs", score, "seconds"), [("found", *numbers)])
    show.line(f"architecture: {content['architecture']}")
    for line in _costs(result):
        show.line(line)
    summary = RunFolder(result.out).data_summary()
    return {**content, "data_summary": summary, "report": show_page(result.out, show)}


def _costs(result: "SearchResult") -> Iterator[str]:
    """Return the costs with budgets or weights, each with its limit, and the size at which they are
    counted.
    """
    limits = result.limits or {}
    for name, value in (result.costs or {}).items():
        most = f" of at most {limits[name]:,.6g}" if name in limits else ""
        yield f"{name}: {value:,.6g}{most}"
    verdict = {None: "", True: "within the budgets; ", False: "NOT within the budgets; "}
    if result.counted_at is not None:
        yield f"{verdict[result.feasible]}counted at {result.counted_at.text}"


def derived_flags() -> Iterator[Flag]:
    """Yield the flags whose text or presence depends on the registered methods."""
    named = {flag.name: flag for flag in read_flags(SearchConfig, "search")}
    methods = f"Search method: {', '.join(METHODS)}."
    yield replace(named["method"], text=methods)
    having: dict[str, list[str]] = {}
    for method in METHODS:
        for preset in METHODS[method].presets:
            having.setdefault(preset, []).append(method)
    presets = [
        preset if len(holders) == len(METHODS) else f"{preset} (of {', '.join(holders)})"
        for preset, holders in having.items()
    ]
    yield replace(named["preset"], text=f"{named['preset'].text} One of {', '.join(presets)}.")
    yield from method_flags()


def method_flags() -> tuple[Flag, ...]:
    """Return a flag for each option of a method; methods may share one, of the same type.

    Raises:
        ConfigError: an option has the name of a setting of every search, or two types.
    """
    found: dict[str, Flag] = {}
    defaults: dict[str, list[str]] = {}
    for method in METHODS:
        require_own_names(method)
        for flag in read_flags(METHODS[method], METHOD):
            first = found.setdefault(flag.name, flag)
            require(
                first.kind == flag.kind,
                f"method {method!r}: its option {flag.name} has another type than in other "
                f"methods: rename it",
            )
            value = {True: "on", False: "off"}[flag.default] if flag.switch else flag.default
            defaults.setdefault(flag.name, []).append(f"{method} {value}")
    return tuple(
        replace(flag, default=None, hint=f"(default: {', '.join(defaults[name])})")
        for name, flag in found.items()
    )


command = Command(
    name="search", config=SearchConfig, run=_run, show=_show, derived_flags=derived_flags
)
