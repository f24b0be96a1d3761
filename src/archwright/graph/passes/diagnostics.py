"""Diagnostics: one line on what a pass did at a place, or why it did nothing there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from archwright.graph.expr import Choice


@dataclass(frozen=True)
class Diagnostic:
    """One line on one place: the result of a rule, or why it did not fire.

    Attributes:
        rule: the stage of the rule (`pms`, `fms`, `norm`, `merge`), or the name of the pass.
        fired: whether the rule changed something.
        place: the step or node; for a choice, the candidates that it can still choose among.
        text: what was done, or the reason why nothing was.
        decision: the decision of the choice, if the place is a choice.
    """

    rule: str
    fired: bool
    place: str
    text: str
    decision: str = ""


Report = Callable[[Diagnostic], object]
"""Function that receives diagnostics."""


def ignore(diagnostic: Diagnostic) -> None:
    """Discard a diagnostic: the report of callers that read none."""


def about(rule: str, choice: Choice, text: str, *, fired: bool) -> Diagnostic:
    """Return the diagnostic of a rule about `choice`."""
    return Diagnostic(rule, fired, place_of(choice), text, choice.decision.name)


def place_of(choice: Choice) -> str:
    """Return the candidates that a choice can still choose among, as text."""
    names = choice.decision.candidates
    if len(choice.given) == len(names):
        return "all candidates"
    return listed(names[member] for member in sorted(choice.given))


def listed(names: Iterable[str]) -> str:
    """Return names as a list in a sentence."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
