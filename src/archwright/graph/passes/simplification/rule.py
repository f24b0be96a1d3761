"""Rule of simplification: a pattern with a guard, and its replacement."""

from collections.abc import Callable
from dataclasses import dataclass

from archwright.graph.expr import Choice, Expr
from archwright.graph.ops import KernelNorm
from archwright.graph.passes.contract import Kind
from archwright.graph.passes.diagnostics import Diagnostic, about
from archwright.graph.passes.simplification.settings import Pointwise, Simplification, Stage
from archwright.graph.primitive import Shape


@dataclass(frozen=True)
class RewriteResult:
    """Replacement of a choice by a rule (None: it does not fire), and its diagnostics."""

    expr: Expr | None
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Site:
    """Place of a choice: the shape of the features that it reads, and the settings."""

    shape: Shape
    settings: Simplification

    @property
    def pointwise(self) -> Pointwise:
        """Treatment of the pointwise convs of separable ones."""
        return self.settings.pointwise

    @property
    def atomic(self) -> bool:
        """Whether a separable conv is shared only as a whole."""
        return self.settings.pointwise != "shared"

    @property
    def norm(self) -> KernelNorm:
        """Normalisation of kernels."""
        return KernelNorm(self.settings.granularity, self.settings.scale)


@dataclass(frozen=True)
class Rule:
    """A line of the table of rules.

    Attributes:
        stage: the stage that the rule belongs to.
        kind: `exact` or `sharing`, as of a pass.
        forms: the forms of a choice that the pattern matches.
        rewrite: function from a choice of these forms to its replacement, or why there is none.
    """

    stage: Stage
    kind: Kind
    forms: tuple[str, ...]
    rewrite: Callable[[Choice, Site], RewriteResult]

    def __call__(self, choice: Choice, site: Site) -> RewriteResult:
        """Rewrite a choice that the pattern matches, or return why not."""
        if choice.form not in self.forms:
            made = "mask" if choice.form == "mask" else "convolution"
            return no_match(self.stage, choice, f"the candidates are one {made} already")
        return self.rewrite(choice, site)


def rewritten(stage: Stage, choice: Choice, expr: Expr, *texts: str) -> RewriteResult:
    """Return the result of a rule that rewrote `choice` to `expr`, with a line for each change."""
    lines = (about(stage, choice, text, fired=True) for text in texts)
    return RewriteResult(expr, tuple(lines))


def no_match(stage: Stage, choice: Choice, *reasons: str) -> RewriteResult:
    """Return the result of a rule that does not apply to `choice`, with the reasons."""
    lines = (about(stage, choice, reason, fired=False) for reason in reasons)
    return RewriteResult(None, tuple(lines))
