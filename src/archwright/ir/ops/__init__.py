"""The primitives: everything that an architecture can be made of.

Legend: C channels, H height, W width, K kernel size, S stride.
"""

from archwright.ir.ops.attention import SqueezeExcite
from archwright.ir.ops.convolutions import Conv, KernelNorm, Linear
from archwright.ir.ops.pointwise import BatchNorm, ReLU, Scale
from archwright.ir.ops.pools import AvgPool, GlobalAvgPool, MaxPool, Pool
from archwright.ir.ops.structure import Shuffle, Slice, Subsample, Zero

__all__ = [
    "AvgPool",
    "BatchNorm",
    "Conv",
    "GlobalAvgPool",
    "KernelNorm",
    "Linear",
    "MaxPool",
    "Pool",
    "ReLU",
    "Scale",
    "Shuffle",
    "Slice",
    "SqueezeExcite",
    "Subsample",
    "Zero",
]
