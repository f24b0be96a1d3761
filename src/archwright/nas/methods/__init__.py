"""The search methods, by name."""

from dataclasses import fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from archwright.errors import ConfigError, unknown

if TYPE_CHECKING:
    from archwright.nas.method import Method

METHODS: dict[str, str] = {
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
"""Where each method is; a string, so that listing them imports none."""


def get_method(name: str, **options: Any) -> "Method":
    """The method of that name; options that are not None stand in place of the published ones.

    Raises:
        ConfigError: there is none (the nearest name is given), or it has no such option (the
            methods that have it are named).
    """
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    method = _published(name)
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in _options(method):
            having = [other for other in METHODS if option in _options(_published(other))]
            flag = "--" + option.replace("_", "-")
            raise ConfigError(f"{flag} is no option of {name}, but of {', '.join(having)}")
    return replace(method, **given)


def options_of(name: str) -> set[str]:
    """The options of the method of that name; none of an unknown one."""
    return _options(_published(name)) if name in METHODS else set()


def _published(name: str) -> "Method":
    module, _, attribute = METHODS[name].partition(":")
    return cast("type[Method]", getattr(import_module(module), attribute))()


def _options(method: "Method") -> set[str]:
    return {field.name for field in fields(method)}
