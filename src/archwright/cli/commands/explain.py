"""`archwright explain`."""

import shutil
import sys
import textwrap
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show
from archwright.engine.options import require_kinds
from archwright.errors import ConfigError
from archwright.graph.passes.simplification.settings import (
    Granularity,
    Pointwise,
    Scale,
    Simplification,
    simplification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archwright.graph import Expr, Network, Shape
    from archwright.graph.passes.diagnostics import Diagnostic
    from archwright.graph.passes.simplification import StageReport


@dataclass(frozen=True, kw_only=True)
class ExplainConfig:
    """Show the simplification of a searchable edge, stage by stage and why rules did not apply."""

    space: str
    """nasbench201, darts, spos, another declared space, or a Python file that declares one."""
    simplify: str = "all"
    """none, all, or a +-joined subset of pms, fms, merge, norm (partial and floating module
    sharing, linear merge, kernel normalisation)."""
    pointwise: Pointwise = "shared"
    """Policy for the pointwise convs of separable convs: share them, keep them apart, or merge to
    dense kernels.
    """
    granularity: Granularity = "filter"
    """Taps that are normalised together: of a whole kernel, or of each filter."""
    scale: Scale = "norm"
    """Common scale of normalised kernels: unit deviation of their taps, or unit norm."""
    edge: str | None = None
    """Edge, as decisions are named: reduce/0->2 (else the first one of stride 1)."""

    def __post_init__(self) -> None:
        """Check that the stages and their settings exist.

        Raises:
            ConfigError: one does not (the nearest is named).
        """
        require_kinds(self)
        _ = self.simplification

    @property
    def simplification(self) -> Simplification:
        """Simplification of the edge."""
        return simplification(
            self.simplify,
            pointwise=self.pointwise,
            granularity=self.granularity,
            scale=self.scale,
        )


@dataclass(frozen=True)
class Explained:
    """Edge, with its stages of simplification, and the names of the edges that differ from it."""

    name: str
    space: str
    others: tuple[str, ...]
    stages: "tuple[StageReport, ...]"


def _run(config: ExplainConfig) -> Explained:
    from archwright.graph.passes.simplification import check_pointwise, explain_expr
    from archwright.spaces import Size, get_space

    space = get_space(config.space)
    channels, cells = space.search_size
    size = Size(channels=channels, cells=cells, image_size=space.image_size)
    supernet = space.supernet(size)
    check_pointwise(supernet, config.simplification, space.name)
    edges = _edges(supernet)
    if not edges:
        raise ConfigError(f"space {space.name} has no edge to be decided")
    name = _default(edges) if config.edge is None else config.edge
    kinds: dict[str, str] = {}
    for edge, (body, _) in edges.items():
        kinds.setdefault(str(body), edge)
    if name not in edges:
        close = get_close_matches(name, edges, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        differ = ", ".join(kinds.values())
        raise ConfigError(
            f"unknown edge {name!r}: {hint}edges of {space.name} that differ are {differ}"
        )
    body, shape = edges[name]
    others = tuple(edge for text, edge in kinds.items() if text != str(body))
    return Explained(name, space.name, others, explain_expr(body, shape, config.simplification))


def _edges(supernet: "Network") -> "Mapping[str, tuple[Expr, Shape]]":
    """Return the searchable edges by the name of their decision, with the shape of their input."""
    from archwright.graph import Choice
    from archwright.graph.traverse import map_edges

    found: dict[str, tuple[Expr, Shape]] = {}

    def keep(body: "Expr", shape: "Shape") -> "Expr":
        if isinstance(body, Choice):
            found.setdefault(body.decision.name, (body, shape))
        return body

    map_edges(supernet, keep)
    return found


def _default(edges: "Mapping[str, tuple[Expr, Shape]]") -> str:
    from archwright.graph.expr import out_shape

    kept = (
        name for name, (body, shape) in edges.items() if out_shape(body, shape)[1:] == shape[1:]
    )
    return next(kept, next(iter(edges)))


def _show(explained: Explained, show: Show) -> list[dict[str, Any]]:
    from archwright.cli.pretty_print import lines

    width = _width()
    show.line(f"{explained.space}, edge {explained.name}")
    if explained.others:
        text = f"other edges, see --edge: {', '.join(explained.others)}"
        for line in textwrap.wrap(text, width, break_on_hyphens=False):
            show.line(line)
    for report in explained.stages:
        counts = report.count
        show.line("")
        show.line(f"{report.stage}: {_counted(counts.conv, counts.non_conv, counts.total)}")
        for line in lines(report.expr, width - 2):
            show.line(f"  {line}")
        for note in report.diagnostics:
            for line in _wrapped(note, width - 2):
                show.line(f"  {line}")
    show.table(
        ("stage", "conv", "non-conv", "total"),
        [
            (r.stage, str(r.count.conv), str(r.count.non_conv), str(r.count.total))
            for r in explained.stages
        ],
    )
    return [_as_json(report) for report in explained.stages]


def _counted(conv: int, non_conv: int, total: int) -> str:
    return f"{total} modules, {conv} conv and {non_conv} other"


def _wrapped(note: "Diagnostic", width: int) -> list[str]:
    sign = "+" if note.fired else "-"
    text = f"{sign} {note.place}: {note.text}"
    return textwrap.wrap(
        text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )


def _width() -> int:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    return max(columns, 40)


def _as_json(report: "StageReport") -> dict[str, Any]:
    counts = report.count
    return {
        "stage": report.stage,
        "conv": counts.conv,
        "non_conv": counts.non_conv,
        "total": counts.total,
        "expression": str(report.expr),
        "notes": [
            {"rule": n.rule, "fired": n.fired, "among": n.place, "text": n.text}
            for n in report.diagnostics
        ],
    }


command = Command(name="explain", config=ExplainConfig, run=_run, show=_show)
