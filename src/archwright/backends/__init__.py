"""Export of trained networks to files that other programs run, checked against torch.

Names are loaded when they are first used, so that the command line reads the registry of backends
without importing PyTorch.
"""

from typing import TYPE_CHECKING

from archwright.io.lazy import lazy_names

if TYPE_CHECKING:
    from archwright.backends.agreement import max_error as max_error
    from archwright.backends.contract import Backend as Backend
    from archwright.backends.contract import ExportRequest as ExportRequest
    from archwright.backends.contract import Runtime as Runtime
    from archwright.backends.logits import LogitsModule as LogitsModule
    from archwright.backends.model_card import ModelCard as ModelCard
    from archwright.backends.onnx.graph import to_onnx as to_onnx
    from archwright.backends.onnx.quantise import to_int8 as to_int8
    from archwright.backends.onnx.runtime import Session as Session
    from archwright.backends.registry import get_backend as get_backend
    from archwright.backends.runtime import open_exported as open_exported
    from archwright.backends.timing import Timing as Timing
    from archwright.backends.timing import benchmark_interleaved as benchmark_interleaved
    from archwright.backends.timing import measure as measure
    from archwright.backends.torch_export import Program as Program
    from archwright.backends.torch_export import to_program as to_program

_HOME = {
    "Backend": "contract",
    "ExportRequest": "contract",
    "LogitsModule": "logits",
    "ModelCard": "model_card",
    "Program": "torch_export",
    "Runtime": "contract",
    "Session": "onnx.runtime",
    "Timing": "timing",
    "get_backend": "registry",
    "max_error": "agreement",
    "measure": "timing",
    "benchmark_interleaved": "timing",
    "open_exported": "runtime",
    "to_int8": "onnx.quantise",
    "to_onnx": "onnx.graph",
    "to_program": "torch_export",
}

__all__ = [*_HOME]  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__ = lazy_names(__name__, _HOME)
