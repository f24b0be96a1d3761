"""Programs of `torch.export`: the computation of a network, without the code that defines it.

Legend: B batch, C channels, H height, W width.
"""

import io
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from archwright.backends.archive import sanitise
from archwright.backends.contract import Backend, ExportRequest, Runtime
from archwright.backends.optional import line_of
from archwright.errors import RunError, silenced
from archwright.graph import Shape, verify_discrete

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    from archwright.lowering import GraphModule

_METADATA = "archwright.json"
"""Part of the file that contains its metadata."""
_TRACED = 2
"""Batch size while tracing: torch would take a batch size of 1 for a constant."""


class TorchExport(Backend):
    """Programs of `torch.export`, which torch runs without archwright."""

    name = "torch"
    suffix = ".pt2"
    runtime = "torch"

    @override
    def write(self, request: ExportRequest) -> bytes:
        return to_program(request.module, request.metadata)

    @override
    def open(self, content: bytes | Path, *, threads: int, device: str) -> Runtime:
        return Program(content, threads=threads)


def trace(module: "GraphModule", *, batch: int | None = None) -> "ExportedProgram":
    """Return the program of a network in evaluation mode; without `batch` its size is dynamic.

    Its input is images float32 [B, C, H, W], its output logits [B, classes], without those of an
    auxiliary head.

    Raises:
        GraphError: a decision is open.
    """
    import torch

    from archwright.backends.logits import LogitsModule

    verify_discrete(module.network)
    images = torch.zeros(batch or _TRACED, *module.network.image)
    free = {"images": {} if batch else {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(LogitsModule(module), (images,), dynamic_shapes=free)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it contains paths of this machine
    return program


def to_program(module: "GraphModule", metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the content of a program file (`.pt2`) of a network, with a dynamic batch size.

    Raises:
        GraphError: a decision is open.
    """
    import torch

    content = io.BytesIO()
    held: dict[str, Any] = {_METADATA: json.dumps(dict(metadata or {}))}
    program = trace(module)
    program.example_inputs = None  # they would be pickled
    torch.export.save(program, content, extra_files=held)
    return content.getvalue()


class Program:
    """Loaded program: callable on images [B, C, H, W]."""

    def __init__(self, content: bytes | Path, *, threads: int | None = None) -> None:
        """Load a program from a file, or from its bytes; without `threads` it uses those of torch.

        Raises:
            RunError: the file is missing, is not a program, or could run code when it is loaded.
        """
        import torch

        held: dict[str, Any] = {_METADATA: "{}"}
        name = content if isinstance(content, Path) else "the program"
        try:
            read = content if isinstance(content, bytes) else content.read_bytes()
            with silenced("torch.export"):
                loaded = torch.export.load(io.BytesIO(sanitise(read)), extra_files=held)
            self.metadata: dict[str, str] = json.loads(held[_METADATA])
        except RunError as error:
            raise RunError(
                f"{name} is refused, and no code of it was run: {error}; export it again from its "
                f"run"
            ) from None
        except Exception as error:  # torch raises a dozen types for a damaged file
            raise RunError(f"torch cannot read {name}: {line_of(error)}") from None
        self._module = loaded.module()
        self._threads = threads

    def __call__(self, images: "Tensor") -> "Tensor":
        """Return logits [B, classes]."""
        import torch

        with torch.no_grad(), _in_threads(self._threads):
            return cast("Tensor", self._module(images))

    def call(self, image: Shape, *, batch: int = 1) -> Callable[[], object]:
        """Return a function that runs the program on a batch of noise of this shape, for timing."""
        import torch

        images = torch.randn(batch, *image, generator=torch.Generator().manual_seed(0))
        return lambda: self(images)


@contextmanager
def _in_threads(threads: int | None) -> Generator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
