"""From trained networks to files that other programs run, checked against torch.

Names are loaded when they are first used: `archwright.export` itself can be called, and what is
imported for that must not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright.export.answer import Answer as Answer
    from archwright.export.card import Card as Card
    from archwright.export.exported import open_exported as open_exported
    from archwright.export.onnx_graph import to_onnx as to_onnx
    from archwright.export.program import Program as Program
    from archwright.export.program import to_program as to_program
    from archwright.export.quantise import to_int8 as to_int8
    from archwright.export.session import Session as Session
    from archwright.export.session import deviation as deviation
    from archwright.export.timing import Timing as Timing
    from archwright.export.timing import measure as measure
    from archwright.export.timing import measure_in_turns as measure_in_turns

_HOME = {
    "Answer": "answer",
    "Card": "card",
    "Program": "program",
    "Session": "session",
    "Timing": "timing",
    "deviation": "session",
    "measure": "timing",
    "measure_in_turns": "timing",
    "open_exported": "exported",
    "to_int8": "quantise",
    "to_onnx": "onnx_graph",
    "to_program": "program",
}

__all__ = [*_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
