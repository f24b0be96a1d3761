"""An edge after each stage: what was done to it, and why a rule did not fire."""

from dataclasses import dataclass, replace
from typing import Literal

from archwright.graph import Expr, Shape
from archwright.graph.passes.simplification.diagnostics import Note
from archwright.graph.passes.simplification.module_count import ModuleCount, count_modules
from archwright.graph.passes.simplification.rewriting import simplify_expr
from archwright.graph.passes.simplification.settings import Simplification

Stage = Literal["original", "pms", "fms", "norm", "merge"]

_ORDER: tuple[Literal["pms", "fms", "norm", "merge"], ...] = ("pms", "fms", "norm", "merge")


@dataclass(frozen=True)
class StageReport:
    """An expression after a stage, with what the stage did that those before it had not done."""

    stage: Stage
    expr: Expr
    notes: tuple[Note, ...] = ()

    @property
    def count(self) -> ModuleCount:
        """Its modules, as Table II of the paper counts them."""
        return count_modules(self.expr)


def explain_expr(expr: Expr, shape: Shape, settings: Simplification) -> tuple[StageReport, ...]:
    """`expr`, which reads features of `shape`, as it is and after each stage that is on.

    Each stage is shown with all those before it; the last expression is that of `simplify_expr`.
    """
    reports = [StageReport("original", expr)]
    so_far = replace(settings, pms=False, fms=False, norm=False, merge=False)
    before: list[Note] = []
    for stage in _ORDER:
        if not getattr(settings, stage):
            continue
        so_far = replace(so_far, **{stage: True})
        notes: list[Note] = []
        made = simplify_expr(expr, shape, so_far, notes.append)
        fresh = (n for n in notes if (n.fired or n.rule == stage) and n not in before)
        reports.append(StageReport(stage, made, tuple(dict.fromkeys(fresh))))
        before = notes
    return tuple(reports)
