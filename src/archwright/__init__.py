"""archwright: an architecture is a graph, and every method here is a transformation of it.

Names are loaded when they are first used, so that `import archwright` and the command line's help
stay quick: PyTorch is not imported before something needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright.errors import ArchwrightError as ArchwrightError
    from archwright.errors import ConfigError as ConfigError
    from archwright.errors import DataError as DataError
    from archwright.errors import DivergedError as DivergedError
    from archwright.errors import GenotypeError as GenotypeError
    from archwright.errors import GraphError as GraphError
    from archwright.errors import RunError as RunError

__version__ = "0.1.0"

# A public name and the module that defines it. A new name goes here and into the block above;
# tests/test_public_surface.py holds the two, and its own list, to each other.
_HOME = {
    "ArchwrightError": "archwright.errors",
    "ConfigError": "archwright.errors",
    "DataError": "archwright.errors",
    "DivergedError": "archwright.errors",
    "GenotypeError": "archwright.errors",
    "GraphError": "archwright.errors",
    "RunError": "archwright.errors",
}

__all__ = ["__version__", *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'archwright' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
