"""ExecuTorch programs for phones and boards: one image at a time, on XNNPACK.

Legend: B batch, C channels, H height, W width.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from archwright.backends.contract import Backend, ExportRequest, Runtime
from archwright.backends.optional import line_of, optional
from archwright.errors import RunError
from archwright.graph import Shape

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.lowering import GraphModule

_POOL = "executorch.extension.pybindings.portable_lib"
_METADATA = "archwright"
"""Method of the program that returns its metadata."""
_THREADS = 1
"""Threads of all programs: they share one pool, which must not change after the first is loaded."""


class Executorch(Backend):
    """ExecuTorch programs, lowered to XNNPACK."""

    name = "executorch"
    suffix = ".pte"
    runtime = "executorch"
    libraries = ("executorch.exir",)
    extra = "executorch"
    batch = 1
    max_threads = _THREADS

    @override
    def write(self, request: ExportRequest) -> bytes:
        return to_executorch(request.module, request.metadata)

    @override
    def open(self, content: bytes | Path, *, threads: int, device: str) -> Runtime:
        return MobileProgram(content)


def to_executorch(module: "GraphModule", metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the content of a program file (`.pte`) that runs a network on one image.

    Raises:
        GraphError: a decision is open.
        ConfigError: executorch is not installed.
    """
    from archwright.backends.torch_export import trace

    exir = optional("executorch.exir")
    backend = optional("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    lowered = exir.to_edge_transform_and_lower(
        trace(module, batch=Executorch.batch),
        partitioner=[backend.XnnpackPartitioner()],
        constant_methods={_METADATA: json.dumps(dict(metadata or {}))},
    )
    return bytes(lowered.to_executorch().buffer)


class MobileProgram:
    """Loaded ExecuTorch program: callable on images [B, C, H, W], which run one by one.

    It uses one thread.
    """

    def __init__(self, content: bytes | Path) -> None:
        """Load a program from a file, or from its bytes.

        Raises:
            ConfigError: executorch is not installed.
            RunError: the file is missing, or is not a program.
        """
        runtime, pool = optional("executorch.runtime"), optional(_POOL)
        # otherwise there is a thread for each core, whatever the setting of torch
        if pool._threadpool_get_thread_count() != _THREADS:
            pool._unsafe_reset_threadpool(_THREADS)
        try:
            read = content if isinstance(content, bytes) else content.read_bytes()
            program = runtime.Runtime.get().load_program(read)
            self._forward: Any = program.load_method("forward")
            (text,) = program.load_method(_METADATA).execute([])
            self.metadata: dict[str, str] = json.loads(text)
        except Exception as error:  # its errors have no common base class
            name = content if isinstance(content, Path) else "the program"
            raise RunError(f"executorch cannot read {name}: {line_of(error)}") from None

    def __call__(self, images: "Tensor") -> "Tensor":
        """Return logits [B, classes]."""
        import torch

        return torch.cat([self._forward.execute([image[None]])[0].clone() for image in images])

    def call(self, image: Shape, *, batch: int = 1) -> Callable[[], object]:
        """Return a function that runs the program on a batch of noise of this shape, for timing."""
        import torch

        images = torch.randn(batch, *image, generator=torch.Generator().manual_seed(0))
        return lambda: self(images)
