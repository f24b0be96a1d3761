"""View of a pruning: the deleted nodes, and the gates over the epochs."""

import math
from collections.abc import Mapping

from archwright.report import formatting
from archwright.report.drawing.cell import Drawing, draw_cell
from archwright.report.drawing.chart import Series, panel, ticks
from archwright.report.drawing.palette import Palette, series_colour
from archwright.report.drawing.plots import Panel, PanelGroup
from archwright.report.reading.read_run import Run

_KEPT, _DELETED = series_colour(0), series_colour(1)


def gates(run: Run) -> list[PanelGroup]:
    """Return one panel per node with the size of its gate over epochs, grouped by cell."""
    epochs = [epoch for epoch in run.epochs if epoch.gates]
    if not epochs:
        return []
    sizes = [abs(gate) for epoch in epochs for gate in epoch.gates.values() if math.isfinite(gate)]
    top = ticks(0.0, max(sizes, default=1.0), 3)[-1]
    groups: dict[str, list[Panel]] = {}
    for name in epochs[-1].gates:
        step, _, node = name.rpartition(":")
        seen = [epoch for epoch in epochs if name in epoch.gates]
        course = [abs(epoch.gates[name]) for epoch in seen]
        fate, colour = _fate(run, step, int(node))
        line = Series(label="", x=[e.epoch + 1 for e in seen], y=course, colour=colour)
        svg = panel([line], title=f"{step}, node {node}: {course[-1]:.3f}, {fate}", top=top)
        if svg is not None:
            groups.setdefault(step, []).append(
                Panel(
                    title=f"node {node}",
                    leader=fate,
                    weight=f"{course[-1]:.3f}",
                    colour=colour,
                    svg=svg,
                )
            )
    return [PanelGroup(title=step, panels=tuple(panels)) for step, panels in groups.items()]


def _fate(run: Run, step: str, node: int) -> tuple[str, str]:
    """Return whether a node was deleted, as a word and a colour."""
    if run.pruned is None:
        return "", _KEPT
    gone = node in run.pruned.deleted.get(step, ())
    return ("deleted", _DELETED) if gone else ("kept", _KEPT)


def pruned_cells(run: Run, palette: Palette) -> list[Drawing]:
    """Return the cells with deleted nodes; cells with the same ones share a drawing."""
    if run.pruned is None or run.architecture is None:
        return []
    cells = {cell.kind: cell for cell in run.architecture.cells}
    alike: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for step, kind in run.pruned.kinds.items():
        nodes = run.pruned.deleted.get(step, ())
        if nodes and kind in cells:
            alike.setdefault((kind, nodes), []).append(step)
    return [
        Drawing(
            title=f"{', '.join(steps)} ({kind})",
            svg=draw_cell(cells[kind], palette, nodes),
            wide=len(cells[kind].nodes) > 3,
        )
        for (kind, nodes), steps in alike.items()
    ]


def key_figures(run: Run) -> list[tuple[str, str]]:
    """Return the key figures of a pruning under the verdict."""
    if run.pruned is None:
        return []
    deleted: Mapping[str, tuple[int, ...]] = run.pruned.deleted
    found = [(str(sum(map(len, deleted.values()))), "nodes deleted")]
    rows = run.result.rows if run.result else ()
    sizes = [row.macs for row in rows if row.macs]
    if len(sizes) > 1:
        found.append((f"{100 * sizes[0] / sizes[1]:.1f}\N{NARROW NO-BREAK SPACE}%", "of the MACs"))
    score = run.pruned.scores.get(run.metric.key)
    if score is not None:
        text = formatting.score(run.metric, score)
        found.append((text, f"{run.metric.label} before fine-tuning"))
    return found
