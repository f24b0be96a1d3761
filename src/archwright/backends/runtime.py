"""Exported files, whatever their format.

Legend: B batch, C channels, H height, W width.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from torch import Tensor

from archwright.backends.executorch import MobileProgram, to_executorch
from archwright.backends.formats import SUFFIXES, Format
from archwright.backends.model_card import ModelCard
from archwright.backends.onnx_graph import to_onnx
from archwright.backends.onnx_runtime import Session
from archwright.backends.torch_export import Program, to_program
from archwright.errors import ConfigError, RunError
from archwright.graph import Shape
from archwright.lowering import GraphModule


class Runtime(Protocol):
    """A loaded file: callable on images [B, C, H, W]; `texts` are its metadata."""

    @property
    def texts(self) -> Mapping[str, str]:
        """The metadata."""
        ...

    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits [B, classes]."""
        ...

    def call(self, image: Shape, /, *, batch: int = 1) -> Callable[[], object]:
        """One answer to a batch of noise, to be timed."""
        ...


def pack(module: GraphModule, form: Format, card: ModelCard) -> bytes:
    """The file of a network in a format.

    Raises:
        GraphError: it cannot be said in the format, or a decision is open.
        ConfigError: the library of the format is not installed.
    """
    write = {"onnx": to_onnx, "torch": to_program, "executorch": to_executorch}[form]
    return write(module, card.to_texts())


def unpack(
    content: bytes | Path, form: Format, *, threads: int = 1, device: str = "cpu"
) -> Runtime:
    """A file, or its bytes, at work; programs of ExecuTorch run in one thread, whatever is given.

    Raises:
        ConfigError: the library of the format is not installed, or cannot use the device.
        RunError: the file is missing or damaged.
    """
    if form == "onnx":
        return Session(content, threads=threads, device=device)
    if device != "cpu":
        raise ConfigError(f"files of --format {form} run on the CPU here: give --device cpu")
    if form == "torch":
        return Program(content, threads=threads)
    return MobileProgram(content)


def format_of(path: Path) -> Format | None:
    """The format that the name of a file speaks for; None if it is none of an exported file."""
    found: dict[str, Format] = {".onnx": "onnx", ".pt2": "torch", ".pte": "executorch"}
    return found.get(path.suffix)


def open_exported(
    path: Path, *, threads: int = 1, device: str = "cpu"
) -> tuple[Runtime, ModelCard]:
    """An exported file at work, and what it says of itself.

    Raises:
        ConfigError: the library of the format is not installed, or cannot use the device.
        RunError: the file is missing, damaged, of no known format, or not exported by archwright.
    """
    form = format_of(path)
    if form is None:
        known = ", ".join(SUFFIXES.values())
        raise RunError(f"{path} is no exported file: their names end in {known}")
    if not path.is_file():
        raise RunError(f"no file at {path}: archwright export writes one")
    exported = unpack(path, form, threads=threads, device=device)
    return exported, ModelCard.from_texts(exported.texts, path)


def runtime_of(form: Format) -> str:
    """The name and version of what runs files of a format."""
    package = {"onnx": "onnxruntime", "torch": "torch", "executorch": "executorch"}[form]
    return f"{package} {version(package)}"
