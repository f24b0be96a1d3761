"""View of the page that compares several runs."""

from collections.abc import Sequence

from archwright.report import components, formatting
from archwright.report.drawing.cell import Drawing
from archwright.report.drawing.palette import Palette
from archwright.report.drawing.plots import held_out, overlaid
from archwright.report.reading.read_run import Row, Run


def _titles(runs: Sequence[Run]) -> list[str]:
    """Return the names of the runs; repeated names get a number."""
    seen: dict[str, int] = {}
    titles: list[str] = []
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        titles.append(run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})")
    return titles


def _latest(run: Run) -> Row:
    """Return the last held-out score of an unfinished run."""
    last, key = run.epochs[-1].values if run.epochs else {}, run.metric.key
    return Row(name="", scores={key: last.get(f"{held_out(run)}_{key}")})


def _drawings_by_space(runs: Sequence[Run]) -> list[list[Drawing]]:
    """Return the drawings of each run; runs of one space share the colours of candidates."""
    spaces = [formatting.setting(run.config.get("space")) for run in runs]
    palettes = {
        space: Palette.of_runs([r for r, s in zip(runs, spaces, strict=True) if s == space])
        for space in spaces
    }
    return [
        components.drawings(run, palettes[space]) for run, space in zip(runs, spaces, strict=True)
    ]


def comparison_view(runs: Sequence[Run]) -> dict[str, object]:
    """Return the content of the page that compares several runs."""
    drawn = _drawings_by_space(runs)
    titles = _titles(runs)
    rows = [run.result.rows[0] if run.result else _latest(run) for run in runs]
    settings = [components.settings(run) for run in runs]
    keys = sorted({key for one in settings for key in one})
    table = [(key, [one.get(key, formatting.NOTHING) for one in settings]) for key in keys]
    notes = [f"{components.overline(run)} \N{MIDDLE DOT} {formatting.status(run)}" for run in runs]
    metric, *others = dict.fromkeys(run.metric for run in runs)
    named = list(zip(titles, notes, rows, strict=True))
    measured = components.measured(named, [metric], comparable=not others)
    return {
        "title": f"Comparison of {len(runs)} runs",
        "overline": "archwright",
        "verdict": _verdict(measured, runs),
        "score": "score" if others else formatting.heading(metric),
        "titles": titles,
        "rows": list(
            zip(measured, [formatting.duration(run.seconds) for run in runs], strict=True)
        ),
        "curves": overlaid(runs, titles),
        "cells": [
            (row, run.architecture.text if run.architecture else None, drawings)
            for row, run, drawings in zip(measured, runs, drawn, strict=True)
        ],
        "differing": [(key, values) for key, values in table if len(set(values)) > 1],
        "common": [(key, values[0]) for key, values in table if len(set(values)) == 1],
        "environments": [
            (title, components.environment(run)) for title, run in zip(titles, runs, strict=True)
        ],
    }


def _verdict(rows: Sequence[components.Measured], runs: Sequence[Run]) -> str:
    best = [row for row in rows if row.best]
    open_runs = sum(run.result is None for run in runs)
    tail = f" {open_runs} of {len(runs)} runs not finished." if open_runs else ""
    metric = runs[0].metric
    if any(run.metric != metric for run in runs):
        return f"The runs have different metrics.{tail}"
    if not best:
        return f"No run has logged a {metric.label}.{tail}"
    names = " and ".join(row.name for row in best)
    value = f"{best[0].score}\N{NARROW NO-BREAK SPACE}{metric.unit}".rstrip()
    return f"Best {metric.label}: {names}, {value}.{tail}"
