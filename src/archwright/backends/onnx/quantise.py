"""Post-training static quantisation of ONNX files: weights and features become 8-bit integers.

The ranges of features are measured on calibration images; weights have a scale for each output
channel. Batch norms are folded into their convolutions first, so that the rounded weights are those
that the runtime multiplies with.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from archwright.backends.onnx.graph import IMAGES
from archwright.backends.optional import optional
from archwright.errors import silenced


def to_int8(content: bytes, batches: Iterable[Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the ONNX file `content` with 8-bit weights and features, and with `metadata`.

    `batches` are the calibration images [B, C, H, W], normalised. Input and output stay float32.

    Raises:
        ConfigError: onnx or onnxruntime is not installed.
    """
    onnx, quantization = optional("onnx"), optional("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as name, silenced("", below=logging.ERROR):
        given, folded, made = (
            Path(name) / f"{stage}.onnx" for stage in ("given", "folded", "made")
        )
        given.write_bytes(content)
        optional("onnxruntime.quantization.shape_inference").quant_pre_process(
            given, folded, skip_symbolic_shape=True
        )
        quantization.quantize_static(
            folded,
            made,
            _reader(quantization, iter(batches)),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        model = onnx.load(str(made))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    return model.SerializeToString()


def _reader(quantization: Any, batches: Iterator[Tensor]) -> Any:
    """Return the reader of calibration images for onnxruntime: next batch, or None at the end."""

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> dict[str, Any] | None:
            images = next(batches, None)
            return None if images is None else {IMAGES: images.cpu().numpy()}

    return Reader()
