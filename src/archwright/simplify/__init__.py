"""TopoNAS: rewritings of a supernet's edges that make it smaller (module sharing, linear merge)."""

from archwright.simplify.checks import check_pointwise
from archwright.simplify.counting import ModuleCount, count_modules
from archwright.simplify.explaining import StageReport, explain_expr
from archwright.simplify.notes import Note
from archwright.simplify.passes import simplify, simplify_expr
from archwright.simplify.settings import STAGES, Simplification, parse_stages, simplification

__all__ = [
    "STAGES",
    "ModuleCount",
    "Note",
    "Simplification",
    "StageReport",
    "check_pointwise",
    "count_modules",
    "explain_expr",
    "parse_stages",
    "simplification",
    "simplify",
    "simplify_expr",
]
