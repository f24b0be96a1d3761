"""TopoNAS: simplification of a supernet's edges (module sharing, linear merge)."""

from archwright.graph.passes.simplification.checks import check_pointwise
from archwright.graph.passes.simplification.explain import StageReport, explain_expr
from archwright.graph.passes.simplification.module_count import ModuleCount, count_modules
from archwright.graph.passes.simplification.rewriting import (
    simplification_passes,
    simplify,
    simplify_expr,
)
from archwright.graph.passes.simplification.settings import (
    STAGES,
    Simplification,
    parse_stages,
    simplification,
)

__all__ = [
    "STAGES",
    "ModuleCount",
    "Simplification",
    "StageReport",
    "check_pointwise",
    "count_modules",
    "explain_expr",
    "parse_stages",
    "simplification",
    "simplification_passes",
    "simplify",
    "simplify_expr",
]
