"""Explanation of an edge, stage by stage: the rules that fired, and why others did not."""

from dataclasses import dataclass, replace
from typing import Literal

from archwright.graph import Expr, Shape
from archwright.graph.passes.diagnostics import Diagnostic
from archwright.graph.passes.simplification.module_count import ModuleCount, count_modules
from archwright.graph.passes.simplification.rewriting import simplify_expr
from archwright.graph.passes.simplification.settings import Simplification, Stage

_ORDER: tuple[Stage, ...] = ("pms", "fms", "norm", "merge")


@dataclass(frozen=True)
class StageReport:
    """Expression after a stage, with the diagnostics that the stage adds."""

    stage: Stage | Literal["original"]
    expr: Expr
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def count(self) -> ModuleCount:
        """Return the number of its modules, as Table II of the paper counts them."""
        return count_modules(self.expr)


def explain_expr(expr: Expr, shape: Shape, settings: Simplification) -> tuple[StageReport, ...]:
    """Return `expr`, which reads features of `shape`, as it is and after each stage that is on.

    Each stage is shown with all those before it; the last expression is that of `simplify_expr`.
    """
    reports = [StageReport("original", expr)]
    so_far = replace(settings, pms=False, fms=False, norm=False, merge=False)
    before: list[Diagnostic] = []
    for stage in _ORDER:
        if not getattr(settings, stage):
            continue
        so_far = replace(so_far, **{stage: True})
        found: list[Diagnostic] = []
        made = simplify_expr(expr, shape, so_far, found.append)
        fresh = (d for d in found if (d.fired or d.rule == stage) and d not in before)
        reports.append(StageReport(stage, made, tuple(dict.fromkeys(fresh))))
        before = found
    return tuple(reports)
