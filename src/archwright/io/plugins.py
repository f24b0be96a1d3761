"""Entry points: what other installed packages add to a registry."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from archwright.errors import ConfigError


@cache
def plugins(group: str) -> dict[str, str]:
    """Return the entry points of a group: name -> `module:attribute`, sorted; none is imported."""
    return {point.name: point.value for point in sorted(entry_points(group=group))}


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
            f"{place} cannot be loaded ({type(error).__name__}: {error}): mend or remove the "
            f"package that provides it"
        ) from error
