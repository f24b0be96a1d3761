"""Registry of search methods: those of this folder, and those of installed packages.

A method of this folder is a file and a line of the table below. A method of another package is a
class and an entry point of the group `archwright.methods`, or a class with `@register_method`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from typing_extensions import override

from archwright.errors import ConfigError, unknown
from archwright.nas.method import Method

GROUP = "archwright.methods"
"""Group of entry points, each `name = "module:Class"`."""

_BUILT_IN = {
    "darts": "darts:Darts",
    "darts-2nd": "darts:SecondOrderDarts",
    "beta-darts": "beta_darts:BetaDarts",
    "pc-darts": "pc_darts:PcDarts",
    "gdas": "gdas:Gdas",
    "drnas": "drnas:DrNas",
    "snas": "snas:Snas",
    "diffgraph": "diffgraph:DiffGraph",
    "random-ws": "random:RandomWithSharing",
    "random": "random:Random",
}
"""File and class of each method of this folder, by the method's name."""

M = TypeVar("M", bound=type[Method])


class _Registry(Mapping[str, type[Method]]):
    """Mapping of every search method by name; a class is imported when it is looked up."""

    def __init__(self) -> None:
        self._registered: dict[str, type[Method]] = {}

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=GROUP)}

    def register(self, name: str, method: type[Method]) -> None:
        """Add a method; a class that is defined again, as in a notebook, replaces the old one."""
        held = self._registered.get(name)
        again = held is not None and held.__qualname__ == method.__qualname__
        if name in self and not again:
            raise ConfigError(f"there is a method {name!r} already: register another name")
        self._registered[name] = _checked(name, method)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*_BUILT_IN, *self._installed, *self._registered]))

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))

    @override
    def __contains__(self, name: object) -> bool:
        return name in list(self)

    @override
    def __getitem__(self, name: str) -> type[Method]:
        if name in _BUILT_IN:
            module, _, attribute = _BUILT_IN[name].partition(":")
            return getattr(import_module(f"{__name__}.{module}"), attribute)
        if name in self._registered:
            return self._registered[name]
        entry = self._installed[name]
        try:
            found = entry.load()
        except Exception as error:  # whatever the other package does when it is imported
            raise ConfigError(
                f"method {name!r} ({entry.value}) cannot be imported: {type(error).__name__}: "
                f"{error}; repair the package, or uninstall it"
            ) from None
        return _checked(name, found)


def _checked(name: str, method: Any) -> type[Method]:
    if not (isinstance(method, type) and issubclass(method, Method) and is_dataclass(method)):
        raise ConfigError(
            f"method {name!r} is {method!r}: it must be a dataclass derived from "
            f"{Method.__module__}.Method"
        )
    for one in fields(method):
        if one.default is MISSING:
            raise ConfigError(f"method {name!r}: its option {one.name} needs a default")
    return method


METHODS = _Registry()
"""Every search method, by name."""


def register_method(name: str) -> Callable[[M], M]:
    """Return a decorator that adds a class to the search methods, under this name.

    Raises:
        ConfigError: the name is taken, or the class is no method.
    """

    def register(method: M) -> M:
        METHODS.register(name, method)
        return method

    return register


def get_method(name: str, **options: Any) -> Method:
    """Return the method of that name; options that are not None replace the published ones.

    Raises:
        ConfigError: there is none (the nearest name is given), it has no such option (the methods
            that have it are named), or an option is out of range (its flag is named).
    """
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option in options_of(name):
            continue
        having = [other for other in METHODS if option in options_of(other)]
        flag = "--" + option.replace("_", "-")
        rest = f"but of {', '.join(having)}" if having else "nor of any other method"
        raise ConfigError(f"{flag} is no option of {name}, {rest}")
    return METHODS[name](**given)


def options_of(name: str) -> set[str]:
    """Return the names of the options of a method; none of an unknown one."""
    return {one.name for one in fields(METHODS[name])} if name in METHODS else set()
