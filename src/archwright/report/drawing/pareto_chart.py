"""Chart of a Pareto front: cost and one-shot score of architectures of one supernet."""

from markupsafe import Markup

from archwright.report.drawing.chart import HEIGHT, WIDTH, Scale, Series, polyline, tick_text, ticks
from archwright.report.drawing.palette import series_colour
from archwright.report.drawing.plots import Figure
from archwright.report.drawing.svg import drawing, label, tag
from archwright.report.formatting import heading
from archwright.report.reading.read_run import Run


def front_figures(run: Run) -> list[Figure]:
    """Return the Pareto front of a search, if one was derived."""
    points = run.result.front if run.result else ()
    if not points:
        return []
    title = f"Cost and {run.metric.label} along the front"
    unit = f"one-shot {heading(run.metric)}"
    places = [(point.value, point.score) for point in points]
    svg = _chart(title, unit, points[0].cost, places)
    return [Figure(title=title, svg=svg, note="with the weights of the supernet")]


def _chart(title: str, unit: str, cost: str, points: list[tuple[float, float]]) -> Markup:
    across, up = (ticks(min(values), max(values)) for values in zip(*points, strict=True))
    left = max(44.0, max(len(tick_text(mark)) for mark in up) * 7.0 + 12)
    x = Scale(across[0], across[-1], left, WIDTH - 24)
    y = Scale(up[0], up[-1], HEIGHT - 36, 30)
    line = Series(
        label="", x=[v for v, _ in points], y=[t for _, t in points], colour=series_colour(0)
    )
    places = [(x(value), y(score)) for value, score in points]
    return drawing(
        WIDTH,
        HEIGHT,
        f"{title}, {unit}, over {cost}",
        label(0, 12, unit, class_="unit"),
        *(tag("line", class_="grid", x1=left, x2=x.end, y1=y(m), y2=y(m)) for m in up),
        *(label(left - 6, y(m) + 4, tick_text(m), class_="tick end") for m in up),
        *(label(x(m), HEIGHT - 20, tick_text(m), class_="tick middle") for m in across),
        label(x.end, HEIGHT - 4, cost, class_="unit end"),
        *([polyline(places, line)] if len(places) > 1 else []),
        *(polyline([place], line) for place in places),
        class_="chart",
    )
