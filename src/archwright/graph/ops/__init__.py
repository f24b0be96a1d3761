"""The primitives: everything that an architecture can be made of.

Legend: C channels, H height, W width, K kernel size, S stride.
"""

from archwright.graph.ops.attention import SqueezeExcite
from archwright.graph.ops.convolutions import Conv, KernelNorm, Linear
from archwright.graph.ops.pointwise import BatchNorm, ReLU, Scale
from archwright.graph.ops.pools import AvgPool, GlobalAvgPool, MaxPool, Pool
from archwright.graph.ops.structure import Shuffle, Slice, Subsample, Zero

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
