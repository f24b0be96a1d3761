"""Passes of simplification, in their order, on an expression and on a network.

Sharing comes first, to a fixed point (TopoNAS, algorithm 1); then kernels are normalised, and
then merged, so that normalised kernels are merged.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from typing_extensions import override

from archwright.graph import Chain, Choice, Concat, Conv, Expr, Network, Op, Option, Shape, chain
from archwright.graph.expr import choices, map_modules, out_shape
from archwright.graph.passes.contract import (
    NO_NEW_SLOTS,
    SAME_DECISIONS,
    SAME_SHAPES,
    UNIFORM_KERNELS,
    VALID,
    Pass,
    register,
    run_passes,
)
from archwright.graph.passes.diagnostics import Diagnostic, Report, ignore
from archwright.graph.passes.simplification.rule import Rule, Site
from archwright.graph.passes.simplification.rules import RULES
from archwright.graph.passes.simplification.settings import Simplification, Stage
from archwright.graph.traverse import map_edges


@dataclass(frozen=True)
class RewritePass(Pass):
    """Pass that applies the rules of its stages to the choices on the edges of cells.

    The switches of `settings` (`pms`, `fms`, `merge`, `norm`) select passes; a pass itself does
    not read them.
    """

    settings: Simplification = field(default_factory=Simplification)
    rules: tuple[Rule, ...] = RULES

    stages: ClassVar[tuple[Stage, ...]]
    keeps = (SAME_SHAPES, SAME_DECISIONS, NO_NEW_SLOTS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        return map_edges(network, lambda body, shape: self.rewrite(body, shape, report))

    @abstractmethod
    def rewrite(self, expr: Expr, shape: Shape, report: Report) -> Expr:
        """Return `expr`, which reads features of `shape`, after the pass."""

    def first_match(self, choice: Choice, shape: Shape, report: Report) -> Expr | None:
        """Return the result of the first rule that fires on `choice`; report why none does."""
        reasons: list[Diagnostic] = []
        for rule in self.rules:
            if rule.stage not in self.stages:
                continue
            result = rule(choice, Site(shape, self.settings))
            if result.expr is not None:
                _report_all(report, result.diagnostics)
                return result.expr
            reasons += result.diagnostics
        _report_all(report, reasons)
        return None


@register
@dataclass(frozen=True)
class ModuleSharing(RewritePass):
    """Partial and floating sharing, repeated on the results to a fixed point."""

    name = "module sharing"
    kind = "sharing"
    stages = ("pms", "fms")

    @override
    def rewrite(self, expr: Expr, shape: Shape, report: Report) -> Expr:
        return _with_decisions(self._share(expr, shape, report), expr)

    def _share(self, expr: Expr, shape: Shape, report: Report) -> Expr:
        if isinstance(expr, Choice):
            rewritten = self.first_match(expr, shape, report)
            if rewritten is not None:
                return self._share(rewritten, shape, report)
            inner = map_parts(expr, shape, lambda part, at: self._share(part, at, report))
            # what was made inside may have something in common with what stands beside it
            return expr if inner == expr else self._share(inner, shape, report)
        return map_parts(expr, shape, lambda part, at: self._share(part, at, report))


@register
@dataclass(frozen=True)
class PartialSharing(ModuleSharing):
    """Partial sharing alone: common heads and tails."""

    name = "partial sharing"
    stages = ("pms",)


@register
@dataclass(frozen=True)
class FloatingSharing(ModuleSharing):
    """Floating sharing alone: common middles."""

    name = "floating sharing"
    stages = ("fms",)


@dataclass(frozen=True)
class _Everywhere(RewritePass):
    """Pass that rewrites every choice once, inner ones first."""

    @override
    def rewrite(self, expr: Expr, shape: Shape, report: Report) -> Expr:
        expr = map_parts(expr, shape, lambda part, at: self.rewrite(part, at, report))
        made = self.first_match(expr, shape, report) if isinstance(expr, Choice) else None
        return expr if made is None else made


@register
@dataclass(frozen=True)
class KernelNormalisation(_Everywhere):
    """Normalisation of the kernels of candidates in a weighted sum."""

    name = "kernel normalisation"
    kind = "sharing"
    ensures = (VALID, UNIFORM_KERNELS)
    stages = ("norm",)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        return _agreed(super().apply(network, report))


@register
@dataclass(frozen=True)
class LinearMerge(_Everywhere):
    """Merge of a weighted sum of convolutions into one with the weighted sum of kernels."""

    name = "linear merge"
    kind = "exact"
    stages = ("merge",)


def simplification_passes(settings: Simplification) -> tuple[RewritePass, ...]:
    """Return the passes of the stages that are on, in their order."""
    passes: list[RewritePass] = []
    if settings.pms and settings.fms:
        passes.append(ModuleSharing(settings))
    elif settings.pms or settings.fms:
        passes.append((PartialSharing if settings.pms else FloatingSharing)(settings))
    if settings.norm:
        passes.append(KernelNormalisation(settings))
    if settings.merge:
        passes.append(LinearMerge(settings))
    return tuple(passes)


def simplify(network: Network, settings: Simplification) -> Network:
    """Return `network` with every edge simplified."""
    return run_passes(network, simplification_passes(settings)).network


def simplify_expr(
    expr: Expr, shape: Shape, settings: Simplification, report: Report = ignore
) -> Expr:
    """Return `expr`, which reads features of `shape`, after all stages that are on."""
    for one in simplification_passes(settings):
        expr = one.rewrite(expr, shape, report)
    return expr


def map_parts(expr: Expr, shape: Shape, function: Callable[[Expr, Shape], Expr]) -> Expr:
    """Return `expr` with its parts replaced; each is given with the shape that it reads.

    The parts are the items of a chain, the branches of a concatenation, the bodies of the options
    of a choice; a module has none.
    """
    match expr:
        case Op():
            return expr
        case Chain(items):
            made: list[Expr] = []
            for item in items:
                made.append(function(item, shape))
                shape = out_shape(item, shape)
            return chain(*made)
        case Concat(branches):
            return Concat(tuple(function(branch, shape) for branch in branches))
        case Choice(_, options):
            bodies = (Option(o.members, function(o.body, shape)) for o in options)
            return replace(expr, options=tuple(bodies))


def _with_decisions(shared: Expr, expr: Expr) -> Expr:
    """Return `shared` with every decision of `expr`, also if all of its candidates were equal.

    Such a decision chooses among identities, since a search still has to decide it.
    """
    left = {choice.decision for choice in choices(shared)}
    for decision in dict.fromkeys(choice.decision for choice in choices(expr)):
        if decision not in left:
            everything = frozenset(range(len(decision.candidates)))
            idle = Choice(decision, (Option(everything, Chain()),), everything)
            shared = chain(shared, idle)
    return shared


def _report_all(report: Report, diagnostics: "tuple[Diagnostic, ...] | list[Diagnostic]") -> None:
    for diagnostic in diagnostics:
        report(diagnostic)


def _agreed(network: Network) -> Network:
    """Remove the norm of kernels whose slot is also used without one.

    One slot is one module; this occurs only where users share slots themselves.
    """
    bare = {module.slot for module in network.modules() if not _has_norm(module)}

    def agreed(module: Op, _: str) -> Op:
        conv = module.primitive
        if module.slot in bare and isinstance(conv, Conv) and conv.norm is not None:
            return replace(module, primitive=replace(conv, norm=None))
        return module

    if not any(_has_norm(module) and module.slot in bare for module in network.modules()):
        return network
    return map_edges(network, lambda body, _: map_modules(body, agreed))


def _has_norm(module: Op) -> bool:
    return isinstance(module.primitive, Conv) and module.primitive.norm is not None
