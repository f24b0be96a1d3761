"""Registry of backends: every export format by name.

The command line reads names and limits here without importing torch.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archwright.backends.contract import Backend
from archwright.backends.formats import Weights
from archwright.errors import ConfigError, unknown
from archwright.io.plugins import load_plugin, with_plugins

BACKENDS: dict[str, str] = {
    "onnx": "archwright.backends.onnx.backend:Onnx",
    "torch": "archwright.backends.torch_export:TorchExport",
    "executorch": "archwright.backends.executorch:Executorch",
}
"""Module and class of each backend of archwright; strings, so that listing them imports none."""

PLUGINS = "archwright.backends"
"""Group of the entry points with which other packages add backends."""


def places() -> dict[str, str]:
    """Return module and class of each backend by name: archwright's, then those of plugins.

    Raises:
        ConfigError: two have the same name.
    """
    return with_plugins(PLUGINS, BACKENDS)


if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[tuple(places())]
    """Name of a registered backend, as the type of an option."""


def get_backend(name: str) -> Backend:
    """Return the backend of that name.

    Raises:
        ConfigError: there is none (the nearest name is given), the package that adds it cannot be
            imported, or its object is not a backend of that name.
    """
    found = places()
    if name not in found:
        raise ConfigError(unknown("format", name, found))
    return _loaded(name, found[name])


def backends() -> Iterator[Backend]:
    """Yield every backend, those of archwright first.

    Raises:
        ConfigError: as `get_backend`.
    """
    yield from map(get_backend, places())


def backend_of(path: Path) -> Backend | None:
    """Return the backend whose files have the suffix of `path`; None if no backend has it.

    Raises:
        ConfigError: as `get_backend`.
    """
    return next((backend for backend in backends() if backend.suffix == path.suffix), None)


def check_format(form: Format, weights: Weights, out: Path) -> None:
    """Check that the format supports the weights, and that `out` has the suffix of the format.

    Raises:
        ConfigError: it does not, or `out` is a folder (the flag is named).
    """
    backend = get_backend(form)
    backend.require_weights(weights)
    if out.suffix != backend.suffix:
        raise ConfigError(
            f"--out {out} must end in {backend.suffix}, as files of --format {form} do"
        )
    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder: name a file in it")


@cache
def _loaded(name: str, place: str) -> Backend:
    found: Any = load_plugin(place)
    if not (isinstance(found, type) and issubclass(found, Backend) and found.name == name):
        raise ConfigError(
            f"{place} is not a backend named {name!r}: make it a subclass of "
            f"archwright.backends.Backend with that name"
        )
    return found()
