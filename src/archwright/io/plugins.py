"""Entry points: objects that other installed packages add to the registries of archwright."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from archwright.errors import ConfigError


@cache
def plugins(group: str) -> dict[str, str]:
    """Return the entry points of a group: name -> `module:attribute`, sorted; none is imported.

    Raises:
        ConfigError: two packages use the same name.
    """
    from importlib.metadata import entry_points  # most commands need none

    return _merged(group, [(one.name, one.value) for one in sorted(entry_points(group=group))])


def with_plugins(group: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return `own` objects of archwright and those of other packages: name -> `module:attribute`.

    Raises:
        ConfigError: two have the same name.
    """
    return _merged(group, [*own.items(), *plugins(group).items()])


def load_plugin(place: str) -> Any:
    """Import the object at `module:attribute`.

    Raises:
        ConfigError: the module cannot be imported, or has no such attribute.
    """
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # a package of others may fail in any way
        raise ConfigError(
            f"{place} cannot be loaded ({type(error).__name__}: {error}): repair or uninstall the "
            f"package that provides it"
        ) from error


def _merged(group: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, place in pairs:
        if found.setdefault(name, place) != place:
            raise ConfigError(
                f"{group} has two entries {name!r}, {found[name]} and {place}: uninstall the "
                f"package of one of them"
            )
    return found
