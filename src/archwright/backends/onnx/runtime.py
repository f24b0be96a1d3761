"""Run ONNX files in onnxruntime.

Legend: B batch, C channels, H height, W width.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archwright.backends.optional import line_of, optional
from archwright.backends.timing import Timing, measure
from archwright.errors import ConfigError, RunError
from archwright.graph import Shape

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Session:
    """Loaded ONNX model: callable on images [B, C, H, W], or on several inputs."""

    def __init__(self, content: bytes | Path, *, threads: int = 1, device: str = "cpu") -> None:
        """Load a model from a file, or from its bytes; on `cpu`, `cuda` or `cuda:1`.

        Raises:
            ConfigError: onnxruntime is not installed, or cannot use the device.
            RunError: the file is missing, is not an ONNX model, or keeps weights in other files.
        """
        runtime = optional("onnxruntime")
        kind, _, index = device.partition(":")
        provider = _PROVIDERS.get(kind)
        if provider not in runtime.get_available_providers():
            raise ConfigError(f"onnxruntime has no device {device!r} here: give --device cpu")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only
        name = content if isinstance(content, Path) else "the model"
        try:
            given = content.read_bytes() if isinstance(content, Path) else content
            _require_whole(name, given)
            self._session: Any = runtime.InferenceSession(
                given,
                options,
                providers=[(provider, {"device_id": index} if index else {})],
            )
        except RunError:
            raise
        except Exception as error:  # its errors have no common base class
            raise RunError(f"onnxruntime cannot read {name}: {line_of(error)}") from None
        self._names: list[str] = [given.name for given in self._session.get_inputs()]

    @property
    def metadata(self) -> dict[str, str]:
        """Texts in the metadata of the file, by name."""
        return self._session.get_modelmeta().custom_metadata_map

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the first output for these inputs, on the CPU."""
        arrays = (x.detach().cpu().numpy() for x in inputs)
        (made, *_) = self._session.run(None, dict(zip(self._names, arrays, strict=True)))
        return torch.from_numpy(made)

    def call(self, *shapes: Shape, batch: int = 1) -> Callable[[], object]:
        """Return a function that runs the model on a batch of noise of these shapes, for timing."""
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.randn(batch, *shape, generator=generator).numpy() for shape in shapes]
        fed = dict(zip(self._names, inputs, strict=True))
        return lambda: self._session.run(None, fed)

    def timed(self, *shapes: Shape, batch: int = 1, warmup: int = 5, repeats: int = 30) -> Timing:
        """Measure the latency of the model on a batch of noise of these shapes."""
        return measure(self.call(*shapes, batch=batch), warmup=warmup, repeats=repeats)


def _require_whole(name: object, content: bytes) -> None:
    """Check that a model keeps all its weights in its own file.

    Raises:
        RunError: some are in another file (the first of them is named).
    """
    outside = _outside(optional("onnx").load_model_from_string(content))
    if outside is not None:
        raise RunError(
            f"{name} is refused: its weights {outside!r} are in another file, which could be any "
            f"on this machine; store them in the file itself, as archwright export does"
        )


def _outside(message: Any) -> str | None:
    """Return the name of the first tensor that is stored in another file, if any.

    Tensors are in graphs, in attributes of nodes, and in the graphs of these attributes.
    """
    if message.DESCRIPTOR.name == "TensorProto":
        return message.name if message.data_location == message.EXTERNAL else None
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if hasattr(value, "__len__") else (value,):
            if (name := _outside(part)) is not None:
                return name
    return None
