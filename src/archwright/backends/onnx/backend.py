"""ONNX, opset 17: files for onnxruntime and other programs that read ONNX."""

from pathlib import Path

from typing_extensions import override

from archwright.backends.contract import Backend, ExportRequest, Runtime


class Onnx(Backend):
    """ONNX, written directly from the graph; int8 by post-training static quantisation."""

    name = "onnx"
    suffix = ".onnx"
    runtime = "onnxruntime"
    libraries = ("onnx", "onnxruntime")
    quantisers = ("onnxruntime.quantization",)
    extra = "export"
    weights = ("float32", "int8")
    devices = ("cpu", "cuda")

    @override
    def write(self, request: ExportRequest) -> bytes:
        from archwright.backends.onnx.graph import to_onnx
        from archwright.backends.onnx.quantise import to_int8

        content = to_onnx(request.module, request.metadata)
        if request.calibration is None or request.weights == "float32":
            return content
        return to_int8(content, request.calibration, request.metadata)

    @override
    def open(self, content: bytes | Path, *, threads: int, device: str) -> Runtime:
        from archwright.backends.onnx.runtime import Session

        return Session(content, threads=threads, device=device)
