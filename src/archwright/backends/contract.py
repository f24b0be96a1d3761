"""Backend: contract of an export format.

A backend defines how its files are named, written and run, and what they can contain. A new backend
is a class in its own file and a line in `registry.BACKENDS`; another package adds one by an entry
point in the group `archwright.backends`, with the name of the format.

Legend: B batch, C channels, H height, W width.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from archwright.backends.formats import Layout, Weights
from archwright.backends.model_card import ModelCard
from archwright.backends.optional import optional
from archwright.errors import ConfigError
from archwright.graph import Network, Shape

if TYPE_CHECKING:  # the command line reads the limits without importing torch
    from torch import Tensor

    from archwright.lowering import GraphModule


class Runtime(Protocol):
    """Loaded file: callable on images [B, C, H, W], for every layout of the file."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Texts in the metadata of the file, by name."""
        ...

    def __call__(self, images: "Tensor", /) -> "Tensor":
        """Return logits [B, classes]."""
        ...

    def call(self, image: Shape, /, *, batch: int = 1) -> Callable[[], object]:
        """Return a function that runs the network on a batch of noise, for timing."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Request to export a network in evaluation mode.

    Attributes:
        module: the torch module of the network.
        card: the model card; its `weights` is the type of the weights in the file.
        calibration: batches of images [B, C, H, W], normalised, from which the range of each
            feature is measured for integer weights; None where they are not needed.
        layout: order of the axes of the input images.
    """

    module: "GraphModule"
    card: ModelCard
    calibration: "Iterable[Tensor] | None" = None
    layout: Layout = "nchw"

    @property
    def network(self) -> Network:
        """Graph of the network."""
        return self.module.network

    @property
    def state(self) -> "Mapping[str, Tensor]":
        """Weights and statistics, by `slots.<slot>.<name>`."""
        return self.module.state_dict()

    @property
    def weights(self) -> Weights:
        """Type of the weights in the file."""
        return self.card.weights

    @property
    def metadata(self) -> dict[str, str]:
        """Texts for the metadata of the file, by name."""
        return self.card.to_metadata()


class Backend(ABC):
    """Export format: name, suffix and limits of its files, and how to write and run them."""

    name: ClassVar[str]
    """Name of the format, as in --format."""
    suffix: ClassVar[str]
    """Suffix of the names of its files, with the dot."""
    runtime: ClassVar[str]
    """Distribution that runs its files."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules for writing and running that archwright itself does not need."""
    quantisers: ClassVar[tuple[str, ...]] = ()
    """Further modules that integer weights need."""
    extra: ClassVar[str] = ""
    """Extra of archwright that installs these modules; empty if there is none."""
    weights: ClassVar[tuple[Weights, ...]] = ("float32",)
    """Possible types of the weights in its files."""
    layouts: ClassVar[tuple[Layout, ...]] = ("nchw",)
    """Possible orders of the axes of the input images."""
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Kinds of devices on which archwright can run its files."""
    batch: ClassVar[int | None] = None
    """Fixed batch size of a file, None for any; a `Runtime` accepts any number of images."""
    max_threads: ClassVar[int | None] = None
    """Largest number of threads with which archwright runs its files; None for no limit."""

    @abstractmethod
    def write(self, request: ExportRequest) -> bytes:
        """Return the content of the file for a request that passes `require`.

        Raises:
            GraphError: a decision is open, or the format cannot represent a part of the network.
            ConfigError: a library is not installed.
        """

    @abstractmethod
    def open(self, content: bytes | Path, *, threads: int, device: str) -> Runtime:
        """Load a file, or its bytes, with up to `threads` threads (at most `max_threads`).

        Raises:
            ConfigError: a library is not installed, or the device does not exist.
            RunError: the file is missing, damaged, or could run code when it is loaded.
        """

    def require(self, request: ExportRequest) -> None:
        """Check a request against the limits of the format.

        Raises:
            ConfigError: the format does not support the weights or the layout, or images are
                missing.
        """
        self.require_weights(request.weights)
        if request.layout not in self.layouts:
            raise ConfigError(
                f"files of --format {self.name} do not take images as {request.layout}: give "
                f"{' or '.join(self.layouts)}"
            )
        if request.weights != "float32" and request.calibration is None:
            raise ConfigError(f"weights {request.weights} need images: give calibration batches")

    def require_weights(self, weights: Weights) -> None:
        """Check that files of the format can have weights of that type.

        Raises:
            ConfigError: they cannot (the flag and the possible types are named).
        """
        if weights not in self.weights:
            raise ConfigError(
                f"--weights {weights} is not for --format {self.name}, whose files have "
                f"{' or '.join(self.weights)}: leave one of the two out"
            )

    def require_threads(self, threads: int) -> None:
        """Check that files of the format can run with that number of threads.

        Raises:
            ConfigError: they cannot (the flag is named).
        """
        most = self.max_threads
        if most is not None and threads > most:
            limit = "one thread" if most == 1 else f"at most {most} threads"
            raise ConfigError(
                f"--threads {threads} is not for --format {self.name}, which runs in {limit} here: "
                f"leave it out"
            )

    def require_device(self, device: str) -> None:
        """Check that files of the format can run on a device (`cpu`, `cuda`, `cuda:1`).

        Raises:
            ConfigError: they cannot (the flag is named).
        """
        if device.partition(":")[0] not in self.devices:
            raise ConfigError(
                f"files of --format {self.name} do not run on {device} here: give --device "
                f"{' or '.join(self.devices)}"
            )

    def require_installed(self, weights: Weights = "float32") -> None:
        """Check that the libraries for files with that type of weights are installed.

        Raises:
            ConfigError: one is missing (the command that installs it is named).
        """
        for module in (*self.libraries, *(self.quantisers if weights != "float32" else ())):
            optional(module, extra=self.extra)

    def runtime_version(self) -> str:
        """Return the name and version of the distribution that runs its files."""
        from importlib.metadata import version

        return f"{self.runtime} {version(self.runtime)}"
