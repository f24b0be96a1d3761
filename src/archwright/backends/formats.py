"""Types of the weights in exported files, and orders of the axes of their input images."""

from typing import Literal

Weights = Literal["float32", "int8"]
Layout = Literal["nchw", "nhwc"]

WEIGHT_BYTES = {"float32": 4, "int8": 1}
"""Bytes of a weight."""
