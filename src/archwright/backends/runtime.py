"""Exported files of any format: written, loaded and opened through the registry."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from archwright.backends.contract import ExportRequest, Runtime
from archwright.backends.formats import Layout
from archwright.backends.model_card import ModelCard
from archwright.backends.registry import Format, backend_of, backends, get_backend
from archwright.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import GraphModule


def serialise(
    module: "GraphModule",
    form: Format,
    card: ModelCard,
    *,
    calibration: "Iterable[Tensor] | None" = None,
    layout: Layout = "nchw",
) -> bytes:
    """Return the file of a network in a format, with weights of the type that its card says.

    Raises:
        GraphError: the format has no form for something in it, or a decision is open.
        ConfigError: the format cannot have such weights or layout, or its library is not installed.
    """
    backend = get_backend(form)
    request = ExportRequest(module=module, card=card, calibration=calibration, layout=layout)
    backend.require(request)
    return backend.write(request)


def load(content: bytes | Path, form: Format, *, threads: int = 1, device: str = "cpu") -> Runtime:
    """Load a file, or its bytes, in up to that many threads.

    Raises:
        ConfigError: the library of the format is not installed, or cannot use the device.
        RunError: the file is missing or damaged.
    """
    backend = get_backend(form)
    backend.require_device(device)
    return backend.open(content, threads=threads, device=device)


def open_exported(
    path: Path, *, threads: int = 1, device: str = "cpu"
) -> tuple[Runtime, ModelCard]:
    """Load an exported file, and its model card.

    Raises:
        ConfigError: the library of the format is not installed, or cannot use the device.
        RunError: the file is missing, damaged, of no known format, or not exported by archwright.
    """
    backend = backend_of(path)
    if backend is None:
        known = ", ".join(known.suffix for known in backends())
        raise RunError(f"{path} is no exported file: their names end in {known}")
    if not path.is_file():
        raise RunError(f"no file at {path}: archwright export writes one")
    exported = load(path, backend.name, threads=threads, device=device)
    return exported, ModelCard.from_metadata(exported.metadata, path)
