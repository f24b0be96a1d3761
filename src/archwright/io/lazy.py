"""Names of a package that are imported when they are first used, so that its import is quick."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose names are defined in its modules.

    Args:
        package: name of the package.
        homes: module of the package that defines each name: `cost.registry` is `registry`.
        modules: module of the package that a name stands for itself.
    """

    def load(name: str) -> Any:
        if name in (modules or {}):
            value: Any = import_module(f"{package}.{(modules or {})[name]}")
        elif name in homes:
            value = getattr(import_module(f"{package}.{homes[name]}"), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return load
