"""Backend: an export format, described once.

A backend says how its files are named, written and run, and what they can hold. A new one is a
class in a file of its own and a line in `registry.BACKENDS`; another package adds one by an entry
point in the group `archwright.backends`, of the name of the format.

Legend: B batch, C channels, H height, W width.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from archwright.backends.formats import Layout, Weights
from archwright.backends.model_card import ModelCard
from archwright.backends.optional import optional
from archwright.errors import ConfigError
from archwright.graph import Network, Shape

if TYPE_CHECKING:  # the command line asks for limits and does not wait for torch
    from torch import Tensor

    from archwright.lowering import GraphModule


class Runtime(Protocol):
    """A loaded file: callable on images [B, C, H, W], whatever layout the file has."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that the file carries, by name."""
        ...

    def __call__(self, images: "Tensor", /) -> "Tensor":
        """Return logits [B, classes]."""
        ...

    def call(self, image: Shape, /, *, batch: int = 1) -> Callable[[], object]:
        """Return a call that answers a batch of noise, to be timed."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """A network in evaluation mode, and how its file is asked for.

    Attributes:
        module: the torch module of the network.
        card: the model card; its `weights` are those that the file is to have.
        calibration: batches of images [B, C, H, W], normalised, which show integer weights the
            range of each feature; None where they are not needed.
        layout: order of the axes of the images that the file takes.
    """

    module: "GraphModule"
    card: ModelCard
    calibration: "Iterable[Tensor] | None" = None
    layout: Layout = "nchw"

    @property
    def network(self) -> Network:
        """The graph of the network."""
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
        """The texts that the file is to carry, by name."""
        return self.card.to_metadata()


class Backend(ABC):
    """An export format: the name and suffix of its files, what they can hold, how they run."""

    name: ClassVar[str]
    """Its name, as --format takes it."""
    suffix: ClassVar[str]
    """The end of the names of its files, with the dot."""
    runtime: ClassVar[str]
    """The distribution that runs its files."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules that writing and running need beyond what the package does."""
    quantisers: ClassVar[tuple[str, ...]] = ()
    """Modules that integer weights need beside these."""
    extra: ClassVar[str] = ""
    """The extra of archwright that installs them; empty if there is none."""
    weights: ClassVar[tuple[Weights, ...]] = ("float32",)
    """Types of weights that its files can have."""
    layouts: ClassVar[tuple[Layout, ...]] = ("nchw",)
    """Orders of the axes of the images that its files can take."""
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Kinds of devices that its files run on here."""
    batch: ClassVar[int | None] = None
    """Number of images that a file takes at a time, None for any; a runtime takes any number."""
    max_threads: ClassVar[int | None] = None
    """Most threads that its files run in here; None if there is no such limit."""

    @abstractmethod
    def write(self, request: ExportRequest) -> bytes:
        """Return the file of a network, for a request that `require` lets through.

        Raises:
            GraphError: a decision is open, or the format has no form for something in the network.
            ConfigError: a library is not installed.
        """

    @abstractmethod
    def open(self, content: bytes | Path, *, threads: int, device: str) -> Runtime:
        """Load a file, or its bytes; where the threads are limited, more are not used.

        Raises:
            ConfigError: a library is not installed, or there is no such device.
            RunError: the file is missing, damaged, or could run code when it is loaded.
        """

    def require(self, request: ExportRequest) -> None:
        """Check a request against the limits of the format.

        Raises:
            ConfigError: the format has no such weights or layout, or images are missing.
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
        """Check that files of the format can have such weights.

        Raises:
            ConfigError: they cannot (the flag, and what they can have, is named).
        """
        if weights not in self.weights:
            raise ConfigError(
                f"--weights {weights} is not for --format {self.name}, whose files have "
                f"{' or '.join(self.weights)}: leave one of the two out"
            )

    def require_threads(self, threads: int) -> None:
        """Check that files of the format can run in that many threads.

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
        """Check that files of the format can run on such a device (`cpu`, `cuda`, `cuda:1`).

        Raises:
            ConfigError: they cannot (the flag is named).
        """
        if device.partition(":")[0] not in self.devices:
            raise ConfigError(
                f"files of --format {self.name} do not run on {device} here: give --device "
                f"{' or '.join(self.devices)}"
            )

    def require_installed(self, weights: Weights = "float32") -> None:
        """Check that the libraries which files with such weights need are installed.

        Raises:
            ConfigError: one is not (how to install it is named).
        """
        for module in (*self.libraries, *(self.quantisers if weights != "float32" else ())):
            optional(module, extra=self.extra)

    def runtime_version(self) -> str:
        """Return the name and version of the distribution that runs its files."""
        return f"{self.runtime} {version(self.runtime)}"
