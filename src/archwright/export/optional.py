"""Libraries that only an export needs."""

import importlib
from typing import Any

from archwright.errors import ConfigError


def optional(module: str, extra: str = "export") -> Any:
    """Import a module of an extra.

    Raises:
        ConfigError: it is not installed; the remedy is named.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ConfigError(
            f'{package} is not installed: pip install "archwright[{extra}]" to export with it'
        ) from None
