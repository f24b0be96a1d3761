"""What a rule says of itself: what it did, or in a line why it did nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from archwright.graph import Choice, Expr

Rule = Literal["pms", "fms", "norm", "merge"]


@dataclass(frozen=True)
class Note:
    """One line about one choice: what the rule made of it, or why it did not fire.

    `place` names the candidates that were left to choose among.
    """

    rule: Rule
    fired: bool
    place: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What a rule makes of a choice (None where it does not fire), and what it says about it."""

    expr: Expr | None
    notes: tuple[Note, ...] = ()


Report = Callable[[Note], object]
"""Where notes go."""


def silent(note: Note) -> None:
    """For those who do not want to know."""


def fired(rule: Rule, choice: Choice, text: str) -> Note:
    """The note of a rule that did something to `choice`."""
    return Note(rule, True, place_of(choice), text)


def declined(rule: Rule, choice: Choice, text: str) -> Outcome:
    """The outcome of a rule that does not apply to `choice`, and why."""
    return Outcome(None, (Note(rule, False, place_of(choice), text),))


def place_of(choice: Choice) -> str:
    """The candidates that a choice is left to choose among."""
    names = choice.decision.candidates
    if len(choice.given) == len(names):
        return "all candidates"
    return listed(names[member] for member in sorted(choice.given))


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
