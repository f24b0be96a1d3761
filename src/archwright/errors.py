"""The one family of errors that a user can meet: a single line each, with fact and remedy."""

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches


class ArchwrightError(Exception):
    """Base of every error raised on purpose; its text is one line, fit for a terminal."""


class ConfigError(ArchwrightError):
    """A setting, or a combination of settings, that cannot be run."""


class GenotypeError(ArchwrightError):
    """An architecture that cannot be read, or that does not belong to its space."""


class GraphError(ArchwrightError):
    """A graph that breaks a rule of the representation: shapes, slots or decisions disagree."""


class DataError(ArchwrightError):
    """Images that cannot be used: missing, corrupt, too few, or of the wrong classes."""


class RunError(ArchwrightError):
    """A run folder or a checkpoint that cannot be created, read or resumed."""


class DivergedError(ArchwrightError):
    """A loss that is no longer a finite number."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The line for a name that does not exist: names the nearest one, and all that there are."""
    choices = sorted(known)
    close = get_close_matches(name, choices, n=3, cutoff=0.4)
    # of names that are as near, the one of the same letters is what was meant
    close.sort(key=lambda other: sorted(other) != sorted(name))
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {kind} {name!r}: {hint}known are {', '.join(choices)}"


_DISTRIBUTIONS = {"sklearn": "scikit-learn", "torch_pruning": "torch-pruning"}
"""Names to install by, of packages whose own name is another."""


def not_installed(module: str, purpose: str) -> str:
    """The line for a library that is missing: names what to install, and what for."""
    package = module.partition(".")[0]
    named = _DISTRIBUTIONS.get(package, package)
    return f"{package} is not installed: pip install {named} to {purpose}"


@contextmanager
def silenced(name: str, *, below: int = logging.CRITICAL) -> Generator[None]:
    """Without what the library of that name (all of them: "") logs below a level.

    By default that is what it says of a failure, of which one line of ours speaks.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(below)
    try:
        yield
    finally:
        logger.setLevel(before)
