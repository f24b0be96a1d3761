"""Spaces by name, and spaces that users declare in a Python file."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from archwright.errors import ArchwrightError, ConfigError, unknown
from archwright.spaces import library
from archwright.spaces.space import Space

SPACES: dict[str, Callable[[], Space]] = {
    "nasbench201": library.nasbench201,
    "darts": library.darts,
    "spos": library.spos,
    "toponas-exaggerated": library.toponas_exaggerated,
    **{f"toponas-{number}": partial(library.toponas, number) for number in range(4, 17)},
}
"""The declared spaces; adding one here makes it known to the command line and to the tests."""


def get_space(name: str) -> Space:
    """The space of a name, or the one that the Python file `name` declares as `space`.

    Raises:
        ConfigError: there is no such space, or the file cannot be used (it says why).
    """
    if name in SPACES:
        return SPACES[name]()
    if name.endswith(".py"):
        return _from_file(str(Path(name).resolve()))
    raise ConfigError(f"{unknown('space', name, SPACES)}; or give a Python file that declares one")


@cache
def _from_file(path: str) -> Space:
    if not Path(path).is_file():
        raise ConfigError(f"no file {path} to read a space from")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ArchwrightError:
        raise
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    space = getattr(module, "space", None)
    if not isinstance(space, Space):
        raise ConfigError(f"{path} declares no space: assign an archwright.spaces.Space to `space`")
    if space.name in SPACES:
        raise ConfigError(f"{path} declares a space {space.name!r}, a name that is taken")
    return replace(space, origin=path)
