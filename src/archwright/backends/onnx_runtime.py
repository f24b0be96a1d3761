"""ONNX files at work in onnxruntime.

Legend: B batch, C channels, H height, W width.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from archwright.backends.optional import optional
from archwright.backends.timing import Timing, measure
from archwright.errors import ConfigError, RunError
from archwright.graph import Shape

TOLERANCE = 1e-5
"""How far logits may be from torch's, in units of the largest logit, or of 1 if that is larger."""

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Session:
    """A loaded ONNX model: callable on images [B, C, H, W], or on several inputs."""

    def __init__(self, content: bytes | Path, *, threads: int = 1, device: str = "cpu") -> None:
        """Load a model from a file, or from its bytes; on `cpu`, `cuda` or `cuda:1`.

        Raises:
            ConfigError: onnxruntime is not installed, or cannot use the device.
            RunError: the file is missing, no ONNX model, or keeps weights in other files.
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
        except Exception as error:  # its errors have no base in common
            raise RunError(f"onnxruntime cannot read {name}: {line_of(error)}") from None
        self._names: list[str] = [given.name for given in self._session.get_inputs()]

    @property
    def texts(self) -> dict[str, str]:
        """The metadata."""
        return self._session.get_modelmeta().custom_metadata_map

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The first output for these inputs, on the CPU."""
        arrays = (x.detach().cpu().numpy() for x in inputs)
        (made, *_) = self._session.run(None, dict(zip(self._names, arrays, strict=True)))
        return torch.from_numpy(made)

    def call(self, *shapes: Shape, batch: int = 1) -> Callable[[], object]:
        """One answer to a batch of noise of these shapes, to be timed."""
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.randn(batch, *shape, generator=generator).numpy() for shape in shapes]
        fed = dict(zip(self._names, inputs, strict=True))
        return lambda: self._session.run(None, fed)

    def timed(self, *shapes: Shape, batch: int = 1, warmup: int = 5, repeats: int = 30) -> Timing:
        """How long it takes for a batch of noise of these shapes."""
        return measure(self.call(*shapes, batch=batch), warmup=warmup, repeats=repeats)


def _require_whole(name: object, content: bytes) -> None:
    """Check that a model keeps all its weights in its own file, not in one that it names.

    Raises:
        RunError: it does not (the first is named).
    """
    outside = _outside(optional("onnx").load_model_from_string(content))
    if outside is not None:
        raise RunError(
            f"{name} is refused: its weights {outside!r} are in another file, which could be any "
            f"on this machine; store them in the file itself, as archwright export does"
        )


def _outside(message: Any) -> str | None:
    """The name of the first tensor that is kept in another file, if any.

    Tensors stand in graphs, in attributes of nodes, and in graphs in these.
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


def max_error(
    answer: nn.Module,
    exported: Callable[[Tensor], Tensor],
    image: Shape,
    batches: Sequence[int] = (1, 3),
) -> float:
    """The largest difference between a network's logits and the exported ones, for noise.

    `batches` are numbers of images; in units of the largest logit, or of 1 if that is larger.

    Raises:
        RunError: it is above `TOLERANCE`.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in batches:
        images = torch.randn(batch, *image, generator=generator)
        with torch.no_grad():
            wanted = cast(Tensor, answer(images))
        scale = max(1.0, float(wanted.abs().max()))
        worst = max(worst, float((exported(images) - wanted).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise RunError(
            f"the exported network answers otherwise than torch, by {worst:.1e}: it was not written"
        )
    return worst


def line_of(error: Exception) -> str:
    """The first line of what a library says, cut to a reasonable length."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
