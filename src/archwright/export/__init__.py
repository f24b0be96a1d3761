"""From trained networks to files that other programs run, checked against torch."""

from archwright.export.answer import Answer
from archwright.export.card import Card
from archwright.export.onnx_graph import to_onnx
from archwright.export.session import Session, deviation
from archwright.export.timing import Timing, measure

__all__ = ["Answer", "Card", "Session", "Timing", "deviation", "measure", "to_onnx"]
