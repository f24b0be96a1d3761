"""TopoNAS: rewritings of a supernet's edges that make it smaller (module sharing, linear merge)."""

from archwright.simplify.counting import ModuleCount, count_modules
from archwright.simplify.passes import simplify, simplify_expr
from archwright.simplify.settings import STAGES, Simplification, parse_stages, simplification

__all__ = [
    "STAGES",
    "ModuleCount",
    "Simplification",
    "count_modules",
    "parse_stages",
    "simplification",
    "simplify",
    "simplify_expr",
]
