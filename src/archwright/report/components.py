"""Components of pages: tables, key figures and settings, as text."""

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.report import formatting
from archwright.report.drawing.architecture import draw_architecture
from archwright.report.drawing.cell import Drawing
from archwright.report.drawing.palette import Palette, series_colour
from archwright.report.reading.read_run import Row, Run
from archwright.tasks import Metric

_HIDDEN = ("schema", "kind", "command")

Pairs = list[tuple[str, str]]
"""Keys and values, both as text."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Row of the table of networks, as text; the best score is marked, other rows show the
    difference. `bar` is the length of a bar, empty for a metric that is no percentage; `others` are
    the further metrics.
    """

    name: str
    note: str
    architecture: str
    channels: str
    params: str
    params_exact: str
    macs: str
    macs_exact: str
    score: str
    bar: str
    others: tuple[str, ...]
    behind: str
    best: bool
    colour: str


def measured(
    rows: Sequence[tuple[str, str, Row]], metrics: Sequence[Metric], *, comparable: bool = True
) -> list[Measured]:
    """Return the rows with the best marked, if they are comparable.

    Each comes with its name and a note beside the name.
    """
    metric, *further = metrics
    scores = [row.score for _, _, row in rows if row.score is not None]
    best = max(scores, key=metric.rank) if scores and comparable else None
    return [
        Measured(
            name=name,
            note=note,
            architecture=row.architecture or formatting.NOTHING,
            channels=formatting.NOTHING if row.channels is None else f"{row.channels:g}",
            params=formatting.si(row.params),
            params_exact=formatting.exact(row.params),
            macs=formatting.si(row.macs),
            macs_exact=formatting.exact(row.macs),
            score=formatting.number(row.score),
            bar=f"{min(max(row.score, 0.0), 100.0):.2f}%"
            if row.score is not None and metric.unit == "%"
            else "",
            others=tuple(formatting.number(row.scores.get(one.key)) for one in further),
            behind=formatting.points(row.score - best)
            if row.score is not None and best is not None and row.score != best
            else "",
            best=row.score is not None and row.score == best and len(rows) > 1,
            colour=series_colour(i),
        )
        for i, (name, note, row) in enumerate(rows)
    ]


def exports(run: Run) -> list[dict[str, str]]:
    """Return the exported files of a run's network, as text."""
    return [
        {
            "file": formatting.public(export.file),
            "kind": f"{export.format}, {export.weights}",
            "bytes": formatting.exact(export.bytes) or formatting.NOTHING,
            "score": formatting.number(export.scores.get(run.metric.key)),
            "latency": formatting.milliseconds(export.latency_ms),
            "spread": formatting.milliseconds(export.latency_spread_ms),
            "measured": f"{export.runtime}; {formatting.exact(export.batch_size)} at a time, "
            f"threads: {formatting.exact(export.threads)}",
        }
        for export in run.exports
    ]


def drawings(run: Run, palette: Palette) -> list[Drawing]:
    """Return the drawings of a run's architecture, if it has one."""
    return draw_architecture(run.architecture, palette) if run.architecture else []


def overline(run: Run, kind: str = "") -> str:
    """Return the kind of the run and its data, as text."""
    told = (run.config.get(key) for key in ("space", "method", "data"))
    return " \N{MIDDLE DOT} ".join(
        [kind or run.kind, *(formatting.setting(v) for v in told if v is not None)]
    )


def key_figures(run: Run) -> Pairs:
    """Return the key figures under the verdict."""
    row = run.result.rows[0] if run.result else Row(name="")
    found = [
        *(
            (formatting.score(metric, value), metric.label)
            for metric in run.metrics
            if (value := row.scores.get(metric.key)) is not None
        ),
        (formatting.si(row.params), "parameters") if row.params is not None else None,
        (formatting.si(row.macs), "multiply-accumulates") if row.macs is not None else None,
    ]
    return [fact for fact in found if fact is not None]


def settings(run: Run) -> dict[str, str]:
    """Return the run's settings in the order of their names."""
    told = {key: value for key, value in sorted(run.config.items()) if key not in _HIDDEN}
    if isinstance(about := told.get("data_summary"), dict):
        told["data_summary"] = about.get("line")
    return {key: formatting.setting(value) for key, value in told.items()}


def environment(run: Run) -> Pairs:
    """Return the versions and the hardware of the run."""
    rows = sorted(run.versions.items())
    if run.hardware is not None:
        rows.append(("hardware", run.hardware))
    if run.kind == "search" and run.params is not None:
        rows.append(("supernet parameters", formatting.exact(run.params)))
    return rows
