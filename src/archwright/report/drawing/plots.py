"""Charts of a run: its curves, and the weights of the candidates over the epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from archwright.report.drawing.chart import Series, line_chart, panel
from archwright.report.drawing.palette import Palette, series_colour
from archwright.report.formatting import heading
from archwright.report.reading.read_run import Epoch, Run
from archwright.tasks import Metric

TRAIN = "var(--train)"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Drawing with its caption."""

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Small multiple: a decision, its strongest candidate at the end, and the weight of this
    candidate.
    """

    title: str
    leader: str
    weight: str
    colour: str
    svg: Markup


@dataclass(frozen=True, kw_only=True)
class PanelGroup:
    """Decisions of one kind of cell."""

    title: str
    panels: tuple[Panel, ...]


def _series(
    epochs: Sequence[Epoch], key: str, label: str, colour: str, *, dashed: bool = False
) -> Series:
    logged = [(e, e.values[key]) for e in epochs if key in e.values]
    return _line(logged, label, colour, dashed=dashed)


def _line(
    values: Sequence[tuple[Epoch, float]], label: str, colour: str, *, dashed: bool = False
) -> Series:
    return Series(
        label=label,
        x=[epoch.epoch + 1 for epoch, _ in values],
        y=[value for _, value in values],
        colour=colour,
        dashed=dashed,
    )


def _figure(series: list[Series], title: str, unit: str, note: str = "") -> list[Figure]:
    svg = line_chart(series, title=title, unit=unit)
    return [] if svg is None else [Figure(title=title, svg=svg, note=note)]


def held_out(run: Run) -> str:
    """Return the split by which a run is evaluated: `valid` in a search, `test` in a training."""
    return "valid" if run.kind == "search" else "test"


def curves(run: Run) -> list[Figure]:
    """Return loss, ranking metric, learning rate and, for a search, the collapse metrics."""
    split, (first, *others) = held_out(run), run.metrics
    figures = [
        *_figure(_pairs(run, split, "loss"), "Loss", "mean over images", _note(run)),
        *_figure(_pairs(run, split, first.key), _title(first), heading(first), _note(run)),
        *_figure(_rates(run), "Learning rate", "step size"),
        *_signs(run),
    ]
    if run.kind == "train":
        for metric in others:
            unit = f"test {heading(metric)}"
            figures += _figure(_each(run, f"test_{metric.key}"), _title(metric), unit)
    return figures


def _title(metric: Metric) -> str:
    return metric.label[:1].upper() + metric.label[1:]


def _signs(run: Run) -> list[Figure]:
    """Return the measured collapse metrics of a search."""
    entropy, gap = _each(run, "entropy"), _each(run, "gap")
    label = heading(run.metric)
    kinds = dict.fromkeys(kind for epoch in run.epochs for kind in epoch.skips)
    skips = [
        _line([(e, e.skips[kind]) for e in run.epochs if kind in e.skips], kind, series_colour(i))
        for i, kind in enumerate(kinds)
    ]
    return [
        *_figure(entropy, "Entropy of the decisions", "mean over decisions, nats"),
        *_figure(
            skips, "Skip connections", "fraction of decisions whose strongest candidate is a skip"
        ),
        *_figure(gap, "Discretisation gap", f"mixture minus derived architecture, {label}"),
        *_figure(_each(run, "eigenvalue"), "Curvature", "largest eigenvalue of alpha's Hessian"),
    ]


def _of(run: Run, name: str) -> list[Epoch]:
    return [e for e in run.epochs if e.name == name]


def _note(run: Run) -> str:
    return f"solid: {held_out(run)}, dashed: train" if len(run.names) > 1 else ""


def _each(run: Run, key: str, *, named: bool = True) -> list[Series]:
    """Return one line per network."""
    return [
        _series(_of(run, name), key, name if named else "", series_colour(i))
        for i, name in enumerate(run.names)
    ]


def _rates(run: Run) -> list[Series]:
    """Return the learning rate: compared networks share one, the stages of a pruning do not."""
    return _each(run, "lr") if run.kind == "prune" else _each(run, "lr", named=False)[:1]


def _pairs(run: Run, split: str, metric: str) -> list[Series]:
    """Return training and held-out lines, named after the split, or after the networks."""
    if len(run.names) <= 1:
        return [
            _series(run.epochs, f"train_{metric}", "train", TRAIN),
            _series(run.epochs, f"{split}_{metric}", split, series_colour(0)),
        ]
    pairs: list[Series] = []
    for i, name in enumerate(run.names):
        own, colour = _of(run, name), series_colour(i)
        pairs.append(_series(own, f"train_{metric}", "", colour, dashed=True))
        pairs.append(_series(own, f"{split}_{metric}", name, colour))
    return pairs


def alphas(run: Run, palette: Palette) -> list[PanelGroup]:
    """Return one panel per decision, grouped by the cell of the decision."""
    epochs = [e for e in run.epochs if e.alpha]
    peak = max(
        (w for e in epochs for weights in e.alpha.values() for w in weights if math.isfinite(w)),
        default=0.0,
    )
    if peak <= 0:
        return []
    top = next((t for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if peak <= t), 1.0)
    groups: dict[str, list[Panel]] = {}
    for decision, candidates in run.decisions.items():
        group = decision.rpartition("/")[0]
        drawn = _panel(epochs, decision, candidates, top, palette)
        if drawn is not None:
            groups.setdefault(group, []).append(drawn)
    return [PanelGroup(title=title, panels=tuple(panels)) for title, panels in groups.items()]


def _panel(
    epochs: list[Epoch],
    decision: str,
    candidates: Sequence[str],
    top: float,
    palette: Palette,
) -> Panel | None:
    seen = [e for e in epochs if decision in e.alpha]
    if not seen:
        return None
    x = [e.epoch + 1 for e in seen]
    last = seen[-1].alpha[decision]
    rising = sorted(range(len(candidates)), key=lambda i: _rank(last[i]))  # the leader on top
    lines = [
        Series(
            label=candidates[i],
            x=x,
            y=[e.alpha[decision][i] for e in seen],
            colour=palette[candidates[i]],
        )
        for i in rising
    ]
    leader = rising[-1]
    words = f"{decision}: {candidates[leader]} leads with {last[leader]:.2f}"
    svg = panel(lines, title=words, top=top)
    if svg is None:
        return None
    return Panel(
        title=decision.rpartition("/")[2].replace("->", " \N{RIGHTWARDS ARROW} "),
        leader=candidates[leader],
        weight=f"{last[leader]:.2f}",
        colour=palette[candidates[leader]],
        svg=svg,
    )


def _rank(weight: float) -> float:
    return weight if math.isfinite(weight) else -math.inf


def overlaid(runs: Sequence[Run], names: Sequence[str]) -> list[Figure]:
    """Return the held-out curves of several runs in one chart, of the first network of each run."""
    figures: list[Figure] = []
    metrics = dict.fromkeys(run.metric for run in runs)
    for key, title, unit in (
        *((one.key, _title(one), f"held-out {heading(one)}") for one in metrics),
        ("loss", "Loss", "held-out, mean over images"),
    ):
        series = [
            _series(_of(run, run.names[0]), f"{held_out(run)}_{key}", name, series_colour(i))
            for i, (run, name) in enumerate(zip(runs, names, strict=True))
            if run.names
        ]
        figures += _figure(series, title, unit)
    return figures
