"""Spaces by name, and spaces that users declare in a Python file."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from archwright.errors import ArchwrightError, ConfigError, GenotypeError, unknown
from archwright.graph import Architecture, Origin
from archwright.spaces import library
from archwright.spaces.space import Space

SPACES: dict[str, Callable[[], Space]] = {
    "nasbench201": library.nasbench201,
    "darts": library.darts,
    "spos": library.spos,
    "nasbench-macro": library.nasbench_macro,
    "toponas-exaggerated": library.toponas_exaggerated,
    **{f"toponas-{number}": partial(library.toponas, number) for number in range(4, 17)},
}
"""Declared spaces; an entry here is known to the command line and to the tests."""


def get_space(name: str) -> Space:
    """Return the space of a name, or the one that the Python file `name` declares as `space`.

    Nothing else runs such a file, so `name` must come from the user, never from a file that was
    read: see `space_of`.

    Raises:
        ConfigError: there is no such space, or the file cannot be used (it says why).
    """
    if name in SPACES:
        return SPACES[name]()
    if name.endswith(".py"):
        path = Path(name)
        try:
            return _declared(str(path.resolve()), path.read_bytes())
        except OSError:
            raise ConfigError(f"no file {name} to read a space from") from None
    raise ConfigError(f"{unknown('space', name, SPACES)}; or give a Python file that declares one")


def space_of(architecture: Architecture, given: Space | None = None) -> Space:
    """Return the space of an architecture: one of the package, or the `given` one, which a user
    named.

    Raises:
        GenotypeError: it is of a file that was not given, or of another content or space; or
            there is no space of its name.
    """
    if architecture.origin is not None:
        given = require_declared(architecture.origin, given)
    if given is None:
        if architecture.space not in SPACES:
            raise GenotypeError(unknown("space", architecture.space, SPACES))
        return SPACES[architecture.space]()
    if given.name != architecture.space:
        raise GenotypeError(
            f"the architecture is of space {architecture.space}, not {given.name}: leave --space "
            f"{given.name} out"
        )
    return given


def require_declared(wanted: Origin, given: Space | None) -> Space:
    """Return the `given` space if the required file declares it.

    Raises:
        GenotypeError: none is given, or it is of another file, or of another content.
    """
    if given is None:
        raise GenotypeError(
            f"the architecture is of the space in {wanted}, and a Python file runs only where the "
            f"command names it: add --space {wanted.file}"
        )
    held = given.origin
    if held is None or (held.file != wanted.file and not wanted.sha256):
        raise GenotypeError(
            f"the architecture is of the space in {wanted}, not of {held or given.name}: give "
            f"--space {wanted.file}"
        )
    if not held.sha256.startswith(wanted.sha256):
        raise GenotypeError(
            f"{held.file} was edited, or is another file: the architecture is of {wanted}, and "
            f"this is {held}; give the file as it was, or make the run again"
        )
    return given


@cache
def _declared(path: str, content: bytes) -> Space:
    """Return the space in a file; `content` itself is executed, never an earlier compilation."""
    module = ModuleType(Path(path).stem)
    module.__file__ = path
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except ArchwrightError:
        raise
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    space = getattr(module, "space", None)
    if not isinstance(space, Space):
        raise ConfigError(f"{path} declares no space: assign an archwright.spaces.Space to `space`")
    if space.name in SPACES:
        raise ConfigError(f"{path} declares a space {space.name!r}, a name that is taken")
    return replace(space, origin=Origin(Path(path).name, hashlib.sha256(content).hexdigest()))
