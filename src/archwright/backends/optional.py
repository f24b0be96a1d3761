"""Libraries that only an export needs."""

import importlib
from typing import Any

from archwright.errors import ConfigError, not_installed


def optional(module: str) -> Any:
    """Import a module that the package by itself does not need.

    Raises:
        ConfigError: it is not installed; the remedy is named.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(not_installed(module, "export with it")) from None
