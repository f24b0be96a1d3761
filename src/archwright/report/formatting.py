"""Numbers and sentences as they are printed."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from archwright.report.reading.read_run import Row, Run
from archwright.tasks import Metric

NOTHING = "\N{EN DASH}"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_LONG = 12  # elements of a list that are shown one by one


def si(value: float | None) -> str:
    """Format with three significant digits and k, M, G or T."""
    if value is None:
        return NOTHING
    for power, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= power * 0.9995:
            scaled = value / power
            digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            return f"{scaled:.{digits}f}{_THIN}{prefix}"
    return f"{value:.3g}"


def exact(value: float | None) -> str:
    """Format with every digit, in groups of three."""
    return "" if value is None else f"{value:,.0f}".replace(",", _THIN)


def number(value: float | None) -> str:
    """Format a score with two decimals, without its unit."""
    return NOTHING if value is None else f"{value:.2f}"


def score(metric: Metric, value: float) -> str:
    """Format a score with two decimals and its unit."""
    return f"{value:.2f}{_THIN}{metric.unit}".rstrip()


def heading(metric: Metric) -> str:
    """Return the metric with its unit, as a column or an axis is named."""
    return f"{metric.label}, {metric.unit}" if metric.unit else metric.label


def points(value: float) -> str:
    """Format a difference of scores, with its sign."""
    return f"{value:+.2f}".replace("-", _MINUS)


def milliseconds(value: float | None) -> str:
    """Format a latency, to the microsecond, without its unit."""
    return NOTHING if value is None else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """Format hours and minutes, minutes and seconds, or seconds."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.0f}{_THIN}s" if seconds >= 10 else f"{seconds:.1f}{_THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_THIN}min {rest}{_THIN}s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}{_THIN}h {minutes}{_THIN}min"


def public(text: str) -> str:
    """Return the last part of an absolute path: a page is shared, and local folders are private."""
    flag, cut, value = text.rpartition("=") if text.startswith("-") else ("", "", text)
    return flag + cut + (Path(value).name if value.startswith("/") else value)


def setting(value: object) -> str:
    """Format a setting's value as it would be typed; of a long list the ends and the length."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, list) and len(items := cast("list[object]", value)) > _LONG:
        ends = (json.dumps(end, ensure_ascii=False) for end in (*items[:2], items[-1]))
        first, second, last = ends
        return f"[{first}, {second}, \N{HORIZONTAL ELLIPSIS}, {last}] ({len(items)})"
    return json.dumps(value, ensure_ascii=False)


def command(run: Run) -> str | None:
    """Return the command that repeats the run, if it was recorded."""
    value = run.config.get("command")
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:  # no command line
            return None
    if not isinstance(value, list):
        return None
    return shlex.join(public(str(word)) for word in cast("list[object]", value))


def status(run: Run) -> str:
    """Return the progress of the run in a word or two."""
    if run.result is not None:
        return "finished"
    done = max((e.epoch + 1 for e in run.epochs), default=0)
    planned = run.config.get("epochs")
    of = f" of {planned}" if isinstance(planned, int) else ""
    return f"{done}{of} epochs" if done else "no epoch yet"


def verdict(run: Run, name: str = "This run") -> str:
    """Return one sentence: the found network and its numbers, or the progress of the run."""
    if run.result is None:
        return _unfinished(run, name)
    row, *others = run.result.rows
    cost = [f"{si(row.params)} parameters"] if row.params is not None else []
    cost += [f"{si(row.macs)} MACs"] if row.macs is not None else []
    at = f" at {' and '.join(cost)}" if cost else ""
    metric = run.metric
    if row.score is None:
        return f"The run has finished{at}; it logged no {metric.label}."
    verb = "The search found a network with" if run.kind == "search" else f"{_subject(row)} reaches"
    text = f"{verb} {score(metric, row.score)} {metric.label}{at}"
    return text + _against(metric, row.score, others) + "." + _stopped(run) + _priced(run)


def _priced(run: Run) -> str:
    """Return the costs of the network beside its limits, and the size at which they are counted."""
    priced = run.result.priced if run.result else None
    if priced is None:
        return ""
    parts = [
        f"{name} {si(value)}" + (f" of at most {si(limit)}" if limit is not None else "")
        for name, value in priced.costs.items()
        for limit in [priced.limits.get(name)]
    ]
    costs = f" Costs: {', '.join(parts)}." if parts else ""
    return f"{costs} Counted at {priced.size}."


def _stopped(run: Run) -> str:
    if run.stop is None:
        return ""
    taken = run.stop.taken + 1
    return f" It was stopped early (rule {run.stop.rule}), with alpha as after epoch {taken}."


def _subject(row: Row) -> str:
    return "The network found" if row.name == "found" else row.name


def _against(metric: Metric, own: float, others: Sequence[Row]) -> str:
    parts: list[str] = []
    for other in others:
        if other.score is None:
            continue
        gap = round(own - other.score, 2)
        where = "above" if gap > 0 else "below"
        parts.append(f"{abs(gap):.2f} {where} {other.name}" if gap else f"level with {other.name}")
    unit = " (percentage points)" if metric.unit == "%" else f" ({metric.unit})"
    return f": {' and '.join(parts)}{unit if metric.unit else ''}" if parts else ""


def _unfinished(run: Run, name: str) -> str:
    if not run.epochs:
        return f"{name} has not finished: no epoch is in its log yet."
    last, metric = run.epochs[-1].values, run.metric
    seen = (
        f"; the last {name} {metric.label} is {score(metric, last[key])}"
        for split, name in (("test", "test"), ("valid", "validation"))
        if (key := f"{split}_{metric.key}") in last
    )
    return f"{name} has not finished: {status(run)} are in its log{next(seen, '')}."
