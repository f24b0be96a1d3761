"""Optional libraries, which only exports need."""

import importlib
from typing import Any

from archwright.errors import ConfigError, not_installed


def optional(module: str, *, extra: str = "") -> Any:
    """Import a module of an optional library; `extra` is the extra of archwright that installs it.

    Raises:
        ConfigError: the library is not installed (the command that installs it is named).
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        line = not_installed(module, "export with it")
        raise ConfigError(f"{line} (or archwright[{extra}])" if extra else line) from None


def line_of(error: Exception) -> str:
    """Return the first line of the message of an error, at most 160 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
