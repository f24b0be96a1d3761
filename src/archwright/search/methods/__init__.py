"""The search methods, by name."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from archwright.errors import ConfigError, unknown

if TYPE_CHECKING:
    from archwright.search.method import Method

METHODS: dict[str, str] = {
    "darts": "archwright.search.methods.darts:Darts",
}
"""Where each method is; a string, so that listing them imports none."""


def get_method(name: str) -> "Method":
    """The method of that name.

    Raises:
        ConfigError: there is none; the nearest name is given.
    """
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    module, _, attribute = METHODS[name].partition(":")
    return cast("Callable[[], Method]", getattr(import_module(module), attribute))()
