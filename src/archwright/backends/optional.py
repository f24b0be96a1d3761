"""Libraries that only an export needs."""

import importlib
from typing import Any

from archwright.errors import ConfigError, not_installed


def optional(module: str, *, extra: str = "") -> Any:
    """Import a module that the package by itself does not need; an `extra` of it may install it.

    Raises:
        ConfigError: it is not installed; the remedy is named.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        line = not_installed(module, "export with it")
        raise ConfigError(f"{line} (or archwright[{extra}])" if extra else line) from None


def line_of(error: Exception) -> str:
    """Return the first line of what a library says, cut to a reasonable length."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
