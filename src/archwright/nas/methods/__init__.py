"""Registry of search methods: those of this folder, and those of installed packages.

A method of this folder is a file and a line of the table below. A method of another package is a
class and an entry point of the group `archwright.methods`, or a class with `@register_method`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from typing_extensions import override

from archwright.errors import ConfigError, unknown
from archwright.io.plugins import load_plugin, with_plugins
from archwright.nas.method import Method

GROUP = "archwright.methods"
"""Group of entry points, each `name = "module:Class"`."""

_BUILT_IN = {
    "darts": "archwright.nas.methods.darts:Darts",
    "darts-2nd": "archwright.nas.methods.darts:SecondOrderDarts",
    "beta-darts": "archwright.nas.methods.beta_darts:BetaDarts",
    "pc-darts": "archwright.nas.methods.pc_darts:PcDarts",
    "gdas": "archwright.nas.methods.gdas:Gdas",
    "drnas": "archwright.nas.methods.drnas:DrNas",
    "snas": "archwright.nas.methods.snas:Snas",
    "diffgraph": "archwright.nas.methods.diffgraph:DiffGraph",
    "random-ws": "archwright.nas.methods.random:RandomWithSharing",
    "random": "archwright.nas.methods.random:Random",
}
"""Module and class of each method of this folder, by the name of the method."""

M = TypeVar("M", bound=type[Method])


class _Registry(Mapping[str, type[Method]]):
    """Mapping of every search method by name; a class is imported when it is looked up."""

    def __init__(self) -> None:
        self._registered: dict[str, type[Method]] = {}

    def register(self, name: str, method: type[Method]) -> None:
        """Add a method; a class that is defined again, as in a notebook, replaces the old one."""
        held = self._registered.get(name)
        again = held is not None and held.__qualname__ == method.__qualname__
        if name in self and not again:
            raise ConfigError(f"there is a method {name!r} already: register another name")
        self._registered[name] = _checked(name, method)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*with_plugins(GROUP, _BUILT_IN), *self._registered]))

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))

    @override
    def __contains__(self, name: object) -> bool:
        return name in list(self)

    @override
    def __getitem__(self, name: str) -> type[Method]:
        if name in self._registered:
            return self._registered[name]
        return _checked(name, load_plugin(with_plugins(GROUP, _BUILT_IN)[name]))


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
