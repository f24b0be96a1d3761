"""Line charts: the unit above the axis, the name of a line at its end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from archwright.report.drawing.svg import drawing, label, num, tag

WIDTH, HEIGHT = 480.0, 250.0
MAX_POINTS = 160
LABEL_GAP = 14.0  # between the names of neighbouring lines, px
CHAR = 8.2  # width of a character of such a name, px, on the generous side
LONGEST = 22  # characters of such a name


@dataclass(frozen=True, kw_only=True)
class Series:
    """Line: y over x, with the name at its end (empty: no name)."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    dashed: bool = False

    def points(self, most: int) -> list[tuple[float, float]]:
        """Finite points, evenly thinned to about `most`, with the first and the last one."""
        points = [p for p in zip(self.x, self.y, strict=True) if math.isfinite(p[1])]
        step = max(1, math.ceil(len(points) / most))
        split_channels = points[::-1][::step][::-1]
        return (
            split_channels
            if step == 1 or split_channels[0] == points[0]
            else [points[0], *split_channels]
        )


@dataclass(frozen=True)
class Scale:
    """Linear map from a range of values to a range of pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values that span low..high, the outer ones included.

    Values that hardly differ are one value with room around it: their ticks would be equal.
    """
    if high - low <= 1e-4 * max(abs(low), abs(high)):
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Return a tick's number, without meaningless digits."""
    if value != 0 and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def polyline(points: Sequence[tuple[float, float]], series: Series) -> str:
    """Return a line through pixels, or a dot for a single one."""
    style = f"--c:{series.colour}"
    if len(points) == 1:
        return tag("circle", class_="dot", cx=points[0][0], cy=points[0][1], r=3, style=style)
    path = "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points)
    return tag("path", class_="line dashed" if series.dashed else "line", d=path, style=style)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near the requested ones, at least `gap` apart and, if they fit, within
    low..high.
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    to_device = list(wanted)
    floor = low
    for i in order:
        to_device[i] = max(to_device[i], floor)
        floor = to_device[i] + gap
    ceiling = high
    for i in reversed(order):
        to_device[i] = min(to_device[i], ceiling)
        ceiling = to_device[i] - gap
    return to_device


def epoch_ticks(first: int, last: int, count: int = 6) -> list[int]:
    """Return round numbers of epochs within first..last, with both ends if there is room."""
    inner = [int(t) for t in ticks(first, max(last, first + 1), count) if t == int(t)]
    step = inner[1] - inner[0] if len(inner) > 1 else 1
    kept = [t for t in inner if first + step * 0.4 < t < last - step * 0.4]
    return sorted({first, *kept, last})


def line_chart(series: Sequence[Series], *, title: str, unit: str) -> Markup | None:
    """Return a chart of `series` over epochs; None if there is nothing finite to draw."""
    drawn = [(s, points) for s in series if (points := s.points(MAX_POINTS))]
    if not drawn:
        return None
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    marks = ticks(min(ys), max(ys))
    right = max(len(_short(s.label)) for s, _ in drawn) * CHAR + 16
    left = max(44.0, max(len(tick_text(m)) for m in marks) * 7.0 + 12)
    first, last = int(min(xs)), int(max(xs))
    x = Scale(first, max(last, first + 1), left, WIDTH - right)
    y = Scale(marks[0], marks[-1], HEIGHT - 36, 30)
    ends = [(s, points[-1]) for s, points in drawn if s.label]
    places = spread([y(p[1]) for _, p in ends], LABEL_GAP, 30, HEIGHT - 40)
    return drawing(
        WIDTH,
        HEIGHT,
        f"{title}, {unit}, over epochs",
        label(0, 12, unit, class_="unit"),
        *(_grid_line(y(m), left, x.end, tick_text(m)) for m in marks),
        *(_epoch_tick(x(t), HEIGHT - 20, t) for t in epoch_ticks(first, last)),
        label(x.end, HEIGHT - 4, "epochs completed", class_="unit end"),
        *(polyline([(x(a), y(b)) for a, b in points], s) for s, points in drawn),
        *(
            label(x.end + 8, at + 4, _short(s.label), class_="name", style=f"--c:{s.colour}")
            for (s, _), at in zip(ends, places, strict=True)
        ),
        *(polyline([(x(p[0]), y(p[1]))], s) for s, p in ends if p[0] < last),
        class_="chart",
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def panel(
    series: Sequence[Series], *, title: str, top: float, width: float = 164, height: float = 104
) -> Markup | None:
    """Return a small multiple: its y axis runs from 0 to `top`, the same for all of them."""
    drawn = [(s, points) for s in series if (points := s.points(48))]
    if not drawn:
        return None
    xs = [x for _, points in drawn for x, _ in points]
    first, last = int(min(xs)), int(max(xs))
    marks = (0, top / 2, top)
    left = max(26.0, max(len(tick_text(m)) for m in marks) * 6.0 + 8)
    x = Scale(first, max(last, first + 1), left, width - 6)
    y = Scale(0, top, height - 18, 8)
    return drawing(
        width,
        height,
        title,
        *(_grid_line(y(m), left, x.end, tick_text(m)) for m in marks),
        *(_epoch_tick(x(t), height - 4, t) for t in sorted({first, last})),
        *(polyline([(x(a), y(b)) for a, b in points], s) for s, points in drawn),
        class_="chart panel",
    )


def _grid_line(y: float, left: float, right: float, words: str) -> str:
    line = tag("line", class_="grid", x1=left, x2=right, y1=y, y2=y)
    return line + label(left - 6, y + 4, words, class_="tick end")


def _epoch_tick(x: float, y: float, epoch: int) -> str:
    return label(x, y, str(epoch), class_="tick middle")
