"""The pages: what they show, in which order, and where they are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from archwright import files
from archwright.errors import RunError
from archwright.report import words
from archwright.report.cell import Drawing, draw_architecture
from archwright.report.load import Row, Run, load_run
from archwright.report.palette import Palette, series_colour
from archwright.report.plots import alphas, curves, held_out, overlaid
from archwright.report.svg import clean

_HIDDEN = ("schema", "kind", "command")


def write_report(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page of one run, or the page that compares several, and return its path.

    The page goes to `out`; without it, to `report.html` in the folder of the one run, or to
    `comparison.html` beside the first of several.
    """
    folders = [Path(run) for run in runs]
    if not folders:
        raise RunError("a report needs at least one run folder; none was given")
    loaded = [load_run(folder) for folder in folders]
    if len(loaded) == 1:
        path = out or folders[0] / "report.html"
        html = _render("run.html", _run_view(loaded[0]))
    else:
        path = out or folders[0].resolve().parent / "comparison.html"
        html = _render("comparison.html", _comparison_view(loaded))
    files.write_text(path, html)
    return path


def _render(template: str, view: dict[str, object]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return clean(environment.get_template(template).render(view))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row of the table of networks, as text; the best top-1 is marked, the others say how far."""

    name: str
    note: str
    architecture: str
    channels: str
    params: str
    params_exact: str
    macs: str
    macs_exact: str
    top1: str
    top1_width: str
    top5: str
    behind: str
    best: bool
    colour: str


def _measured(rows: Sequence[tuple[str, str, Row]]) -> list[Measured]:
    """The rows with the best marked; each comes with its name and a note beside the name."""
    best = max((row.top1 for _, _, row in rows if row.top1 is not None), default=None)
    return [
        Measured(
            name=name,
            note=note,
            architecture=row.architecture or words.NOTHING,
            channels=words.NOTHING if row.channels is None else f"{row.channels:g}",
            params=words.si(row.params),
            params_exact=words.exact(row.params),
            macs=words.si(row.macs),
            macs_exact=words.exact(row.macs),
            top1=words.percent(row.top1),
            top1_width="" if row.top1 is None else f"{min(max(row.top1, 0.0), 100.0):.2f}%",
            top5=words.percent(row.top5),
            behind=words.points(row.top1 - best)
            if row.top1 is not None and best is not None and row.top1 != best
            else "",
            best=row.top1 is not None and row.top1 == best and len(rows) > 1,
            colour=series_colour(i),
        )
        for i, (name, note, row) in enumerate(rows)
    ]


def _drawings(run: Run, palette: Palette) -> list[Drawing]:
    return draw_architecture(run.architecture, palette) if run.architecture else []


def _overline(run: Run) -> str:
    told = (run.config.get(key) for key in ("space", "method", "data"))
    return " \N{MIDDLE DOT} ".join([run.kind, *(words.setting(v) for v in told if v is not None)])


def _facts(run: Run) -> list[tuple[str, str]]:
    """The numbers that stand large under the verdict."""
    row = run.result.rows[0] if run.result else Row(name="")
    facts = [
        (words.share(row.top1), "top-1 accuracy") if row.top1 is not None else None,
        (words.share(row.top5), "top-5 accuracy") if row.top5 is not None else None,
        (words.si(row.params), "parameters") if row.params is not None else None,
        (words.si(row.macs), "multiply-accumulates") if row.macs is not None else None,
        (words.duration(run.seconds), "run time") if run.seconds is not None else None,
    ]
    return [fact for fact in facts if fact is not None]


def _settings(run: Run) -> dict[str, str]:
    return {
        key: words.setting(value) for key, value in sorted(run.config.items()) if key not in _HIDDEN
    }


def _environment(run: Run) -> list[tuple[str, str]]:
    rows = sorted(run.versions.items())
    if run.hardware is not None:
        rows.append(("hardware", run.hardware))
    if run.kind == "search" and run.params is not None:
        rows.append(("supernet parameters", words.exact(run.params)))
    return rows


def _run_view(run: Run) -> dict[str, object]:
    palette = Palette.of_runs([run])
    rows = run.result.rows if run.result else ()
    text = run.architecture.text if run.architecture else None
    return {
        "title": run.name,
        "overline": _overline(run),
        "verdict": words.verdict(run),
        "finished": run.result is not None,
        "command": words.command(run),
        "facts": _facts(run),
        "rows": _measured([(row.name, "", row) for row in rows]) if len(rows) > 1 else [],
        "architecture": text or next((row.architecture for row in rows), None),
        "drawings": _drawings(run, palette),
        "legend": palette.legend(),
        "alphas": alphas(run, palette),
        "curves": curves(run),
        "settings": list(_settings(run).items()),
        "environment": _environment(run),
    }


def _titles(runs: Sequence[Run]) -> list[str]:
    """The runs' names; one that is not the first of its name gets a number."""
    seen: dict[str, int] = {}
    titles: list[str] = []
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        titles.append(run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})")
    return titles


def _latest(run: Run) -> Row:
    """What an unfinished run shows of itself: its last held-out accuracy."""
    last = run.epochs[-1].values if run.epochs else {}
    return Row(name="", top1=last.get(f"{held_out(run)}_top1"))


def _drawings_by_space(runs: Sequence[Run]) -> list[list[Drawing]]:
    """The drawings of each run; runs of one space have the same colour for a candidate."""
    spaces = [words.setting(run.config.get("space")) for run in runs]
    palettes = {
        space: Palette.of_runs([r for r, s in zip(runs, spaces, strict=True) if s == space])
        for space in spaces
    }
    return [_drawings(run, palettes[space]) for run, space in zip(runs, spaces, strict=True)]


def _comparison_view(runs: Sequence[Run]) -> dict[str, object]:
    drawn = _drawings_by_space(runs)
    titles = _titles(runs)
    rows = [run.result.rows[0] if run.result else _latest(run) for run in runs]
    settings = [_settings(run) for run in runs]
    keys = sorted({key for one in settings for key in one})
    table = [(key, [one.get(key, words.NOTHING) for one in settings]) for key in keys]
    notes = [f"{_overline(run)} \N{MIDDLE DOT} {words.status(run)}" for run in runs]
    measured = _measured(list(zip(titles, notes, rows, strict=True)))
    return {
        "title": f"Comparison of {len(runs)} runs",
        "overline": "archwright",
        "verdict": _comparison_verdict(measured, runs),
        "titles": titles,
        "rows": list(zip(measured, [words.duration(run.seconds) for run in runs], strict=True)),
        "curves": overlaid(runs, titles),
        "cells": [
            (row, run.architecture.text if run.architecture else None, drawings)
            for row, run, drawings in zip(measured, runs, drawn, strict=True)
        ],
        "differing": [(key, values) for key, values in table if len(set(values)) > 1],
        "common": [(key, values[0]) for key, values in table if len(set(values)) == 1],
        "environments": [
            (title, _environment(run)) for title, run in zip(titles, runs, strict=True)
        ],
    }


def _comparison_verdict(rows: Sequence[Measured], runs: Sequence[Run]) -> str:
    best = [row for row in rows if row.best]
    open_runs = sum(run.result is None for run in runs)
    tail = f" {open_runs} of {len(runs)} runs not finished." if open_runs else ""
    if not best:
        return f"No run has logged an accuracy.{tail}"
    names = " and ".join(row.name for row in best)
    return f"Best top-1: {names}, {best[0].top1}\N{NARROW NO-BREAK SPACE}%.{tail}"
