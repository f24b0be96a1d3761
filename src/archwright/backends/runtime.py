"""Write, load and open exported files of any format through the registry."""

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
    """Return the content of the file of a network; the card gives the type of the weights.

    Raises:
        GraphError: the format cannot represent a part of the network, or a decision is open.
        ConfigError: the format does not support the weights or the layout, or its library is not
            installed.
    """
    backend = get_backend(form)
    request = ExportRequest(module=module, card=card, calibration=calibration, layout=layout)
    backend.require(request)
    return backend.write(request)


def load(content: bytes | Path, form: Format, *, threads: int = 1, device: str = "cpu") -> Runtime:
    """Load a file, or its bytes, to run with up to `threads` threads.

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
    """Load an exported file and its model card.

    Raises:
        ConfigError: the library of the format is not installed, or cannot use the device.
        RunError: the file is missing, damaged, of no known format, or not exported by archwright.
    """
    backend = backend_of(path)
    if backend is None:
        known = ", ".join(known.suffix for known in backends())
        raise RunError(f"{path} is not an exported file: their names end in {known}")
    if not path.is_file():
        raise RunError(f"no file at {path}: archwright export writes one")
    exported = load(path, backend.name, threads=threads, device=device)
    return exported, ModelCard.from_metadata(exported.metadata, path)
