"""Types of the numbers in exported files, and orders of their axes."""

from typing import Literal

Weights = Literal["float32", "int8"]
Layout = Literal["nchw", "nhwc"]

WEIGHT_BYTES = {"float32": 4, "int8": 1}
"""Bytes of a weight."""
